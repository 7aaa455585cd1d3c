/**
 * A network on which versions of a model are published, voted on, served and activated, block by block. Sums and the whole state are
 * checked after every call and every block.
 * @module
 */
import { expect } from 'vitest'
import { type Hash, hash } from '../src/base/brand.ts'
import { endEpoch } from '../src/core/block/end-of-epoch.ts'
import { epochEndOf, epochOf } from '../src/core/epoch.ts'
import { hashOf, ZERO_HASH } from '../src/core/fields.ts'
import { taggedHash } from '../src/core/hash.ts'
import { endMarketBlock } from '../src/core/market/end-of-block.ts'
import type { ModelEvent } from '../src/core/market/events.ts'
import type { Parameters } from '../src/core/parameters.ts'
import { getAccount } from '../src/core/state/accounts.ts'
import { conservationFault } from '../src/core/state/conservation.ts'
import { stateFaults } from '../src/core/state/invariants.ts'
import { newMiner, putMiner } from '../src/core/state/miners.ts'
import { getModel, type ModelRecord } from '../src/core/state/models.ts'
import { move } from '../src/core/state/money.ts'
import { getParameters } from '../src/core/state/parameters-record.ts'
import { openProposals } from '../src/core/state/proposals.ts'
import {
  createStateStore,
  overlayOn,
  type StateKey,
  type StateStore,
  type WriteState,
} from '../src/core/state/state.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../src/core/transaction/check.ts'
import type { Place } from '../src/core/transaction/place.ts'
import type { RegisterModel } from '../src/core/transaction/register-model.ts'
import { DLLM, type Person, person, signedCall, testGenesis, testNetwork } from './chain-accounts.ts'

/** Ann and ben have all the stake, cleo publishes, dan pays. */
export const [ann, ben, cleo, dan] = [1, 2, 3, 4].map(person) as [Person, Person, Person, Person]
/** Who serves: each its own owner, with a deposit of 2 DLLM. */
export const MINERS: readonly Person[] = [11, 12, 13, 14].map(person)
export const [V1, V2, V3] = ['a1', 'b2', 'c3'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash, Hash]
export const CANARY = { root: hash('ca'.repeat(32)), bytes: 70_000 }
export const SEGMENTS = 3
const HEIGHT = 1

/** Changes as it is used. */
export interface LifeWorld {
  readonly state: StateStore
  context: TransactionContext
  /** What became of models, since the world began. */
  readonly events: ModelEvent[]
}

/** Made once: the proofs in a genesis take longer than all else. */
const base = testNetwork(
  testGenesis({
    ...{ modelDeposit: 10n * DLLM, minerDepositMin: DLLM, placementBlocks: 1_000n, leaseBlocksMax: 40n },
    ...{ disputeBlocks: 4n, priceBlocks: 1_000n, readyOwners: 2n, canaryFailures: 300n, activationNotice: 10n },
    ...{ activationRetryBlocks: 5n, activationTries: 3n, rollbackBlocks: 60n },
  }),
  HEIGHT,
)

/** The first version is active and served by all miners. `parameters`: in force from now on. */
export function lifeWorld(parameters: Partial<Parameters> = {}): LifeWorld {
  const state = createStateStore([...base.state.entries('' as StateKey)])
  const world = {
    state,
    context: { ...base.context, parameters: { ...base.context.parameters, ...parameters } },
    events: [],
  }
  change(world, (overlay) => {
    for (const { id: operator } of MINERS) {
      const peerKey = taggedHash('test/peer', new TextEncoder().encode(operator))
      putMiner(overlay, operator, newMiner({ payout: operator, peerKey, device: 'cpu' }, HEIGHT))
      const from = { type: 'account', id: dan.id } as const
      move(overlay, { amount: 2n * DLLM, from, to: { type: 'collateral', operator } })
      move(overlay, { amount: DLLM, from, to: { type: 'account', id: operator } })
    }
  })
  run(world, cleo, publishing(V1))
  for (const miner of MINERS) run(world, miner, placing(V1))
  return world
}

interface Called {
  readonly type: number
  readonly body: unknown
}

export const publishing = (model: Hash, change: Partial<RegisterModel> = {}): Called => {
  const segments = Array.from({ length: SEGMENTS }, () => ({ linear: 1_000_000n, attention: 10n }))
  return {
    type: 8,
    body: { ...{ model, name: `v-${model.slice(0, 2)}`, context: 512, price: 10n, segments }, ...change },
  }
}
export const retiring = (model: Hash): Called => ({ type: 9, body: { model } })
export const placing = (model: Hash, change: Partial<Place> = {}): Called => {
  const whole = { first: 0, end: SEGMENTS, slots: 2, bid: 1n, until: 300, incarnation: 0n }
  return { type: 12, body: { model, ...whole, ...change } }
}
/** Of one lot, by which a miner without a record is not priced out. */
export const leasing = (model: Hash, expiryHeight: number): Called => {
  const body = { voucherKey: dan.consensus.publicKey, cuts: [], avoid: [], rows: 8, cap: DLLM, priceMax: 90n }
  return { type: 13, body: { model, ...body, expiryHeight } }
}
export const proposing = (model: Hash, activationHeight = 0): Called => ({
  type: 19,
  body: { model, activationHeight },
})
export const reporting = (model: Hash, passed: boolean): Called => ({ type: 20, body: { model, passed } })

/** Carries out a call at the sender's nonce. */
export function run(world: LifeWorld, by: Person, { type, body }: Called): void {
  change(world, (overlay) => {
    const { nonce } = getAccount(overlay, by.id)
    const signed = signedCall(base.networkId, by, { type, body, nonce })
    applyTransaction(checkTransaction(signed, overlay, world.context), overlay, world.context)
  })
}

/** Returns the refusal, which changes nothing. */
export function refuses(
  world: LifeWorld,
  by: Person,
  called: Called,
): { readonly code: string; readonly details: unknown } {
  const entries = (): unknown => [...world.state.entries('' as StateKey)]
  const before = entries()
  try {
    run(world, by, called)
  } catch (error) {
    expect(entries()).toEqual(before)
    return error as { readonly code: string; readonly details: unknown }
  }
  throw new Error('it was not refused')
}

export function change(world: Pick<LifeWorld, 'state'>, what: (overlay: WriteState) => void): void {
  const overlay = overlayOn(world.state)
  what(overlay)
  expect(conservationFault(world.state, overlay.changes())).toBeUndefined()
  world.state.merge(overlay.changes())
  expect(stateFaults(world.state)).toEqual([])
}

/** Ends blocks, and epochs with them; returns what became of models. */
export function endBlocks(world: LifeWorld, count: number): readonly ModelEvent[] {
  const before = world.events.length
  for (let index = 0; index < count; index++) {
    const { height, parameters } = world.context
    change(world, (overlay) => {
      const events = [...endMarketBlock(overlay, { height, parameters, seed: seedAt(height) })]
      const epoch = epochOf(height, parameters)
      if (height === epochEndOf(height, parameters)) events.push(...endEpoch(overlay, { epoch, height, parameters }))
      world.events.push(...events.filter((event) => event.type === 'model'))
    })
    world.context = {
      ...world.context,
      height: height + 1,
      parameters: { ...parameters, ...changed(world, parameters) },
    }
  }
  return world.events.slice(before)
}

/** Ends blocks until one with this height has ended. */
export function endUntil(world: LifeWorld, height: number): readonly ModelEvent[] {
  return endBlocks(world, height + 1 - world.context.height)
}

/** All the stake says so to the newest proposal. */
export function vote(world: LifeWorld, yes: boolean): void {
  const { number } = openProposals(world.state).at(-1)!
  for (const voter of [ann, ben]) run(world, voter, { type: 7, body: { proposal: number, yes } })
}

/** Publishes a version in the place of another, and has it approved; its first look is at the end of the block returned. */
export function approved(world: LifeWorld, model: Hash, change: Partial<RegisterModel> = {}): number {
  run(world, cleo, publishing(model, { predecessor: V1, ...change }))
  return voteIn(world, model)
}

/** Proposes a model and has it approved. */
export function voteIn(world: LifeWorld, model: Hash): number {
  run(world, cleo, proposing(model))
  vote(world, true)
  endUntil(world, epochEndOf(world.context.height + 5, world.context.parameters))
  return recordOf(world, model).dueHeight!
}

/** Publishes a version, has it approved, served by all miners, and active. */
export function upgrade(world: LifeWorld, model: Hash, change: Partial<RegisterModel> = {}): void {
  const due = approved(world, model, change)
  const end = change.segments?.length ?? SEGMENTS
  for (const miner of MINERS) run(world, miner, placing(model, { end }))
  endUntil(world, due)
}

export const recordOf = (world: LifeWorld, model: Hash): ModelRecord => getModel(world.state, model)!
export const statusOf = (world: LifeWorld, model: Hash): string => getModel(world.state, model)?.status ?? 'gone'
export const balanceOf = (world: LifeWorld, { id }: Person): bigint => getAccount(world.state, id).balance

function seedAt(height: number): Hash {
  return hashOf(taggedHash('test/seed', Uint8Array.of(height), new TextEncoder().encode(ZERO_HASH)))
}

/** What votes changed: the parameters of a world need not be those of its state. */
function changed({ state }: LifeWorld, before: Parameters): Partial<Parameters> {
  const first = base.context.parameters
  const now = getParameters(state)
  const names = (Object.keys(now) as (keyof Parameters)[]).filter((name) => now[name] !== first[name])
  return Object.fromEntries(names.map((name) => [name, now[name]])) as Partial<typeof before>
}
