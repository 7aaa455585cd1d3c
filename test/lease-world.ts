/**
 * A network with a model and miners that serve it, whose leases a test opens, pays, claims and ends.
 * @module
 */
import { expect } from 'vitest'
import { assert } from '../src/base/assert.ts'
import { type AccountId, type Hash, hash } from '../src/base/brand.ts'
import { keyPairFromSecret } from '../src/core/ed25519.ts'
import { hashOf, ZERO_HASH } from '../src/core/fields.ts'
import { taggedHash } from '../src/core/hash.ts'
import type { Counters } from '../src/core/market/counters.ts'
import { endMarketBlock } from '../src/core/market/end-of-block.ts'
import type { MarketEvent } from '../src/core/market/events.ts'
import type { Settlement } from '../src/core/market/settle.ts'
import { type SignedVoucher, signVoucher } from '../src/core/market/voucher.ts'
import type { Parameters } from '../src/core/parameters.ts'
import { getAccount } from '../src/core/state/accounts.ts'
import { conservationFault } from '../src/core/state/conservation.ts'
import { leaseIdOf } from '../src/core/state/leases.ts'
import { newMiner, putMiner } from '../src/core/state/miners.ts'
import { newModel, putModel } from '../src/core/state/models.ts'
import { move } from '../src/core/state/money.ts'
import { type PlacementRecord, putPlacement } from '../src/core/state/placements.ts'
import {
  createStateStore,
  overlayOn,
  type StateKey,
  type StateStore,
  type WriteState,
} from '../src/core/state/state.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../src/core/transaction/check.ts'
import type { ClaimLease } from '../src/core/transaction/claim-lease.ts'
import type { OpenLease } from '../src/core/transaction/open-lease.ts'
import { DLLM, type Person, person, signedCall, testGenesis, testNetwork } from './chain-accounts.ts'

export const MODEL: Hash = hash('a1'.repeat(32))
export const SEGMENTS = 6
export const PRICE = 10n
/** Of whoever pays. */
export const VOUCHER_KEYS = keyPairFromSecret(new Uint8Array(32).fill(77))
/** People who serve. */
export const MINERS: readonly Person[] = [11, 12, 13, 14, 15, 16].map(person)
export const PAYERS: readonly Person[] = [1, 2, 3].map(person)
/** Short times; nobody is audited unless a test wants it: there are too few who could. */
export const LEASE_PARAMETERS: Partial<Parameters> = {
  ...{ disputeBlocks: 4n, leaseBlocksMax: 40n, placementBlocks: 300n, priceBlocks: 10n },
  ...{ auditCommitBlocks: 2n, auditRevealBlocks: 2n },
}

/** Changes as it is used. */
export interface LeaseWorld {
  readonly networkId: Hash
  readonly state: StateStore
  context: TransactionContext
  /** What ended blocks said happened, since the world began. */
  readonly events: MarketEvent[]
}

export interface Served {
  readonly miner: AccountId
  readonly payout?: AccountId
  readonly deposit?: bigint
  readonly placement?: Partial<PlacementRecord>
}

/** Made once: the proofs in a genesis take longer than all else. */
const base = testNetwork(testGenesis(LEASE_PARAMETERS))

/** `parameters`: in force from now on. */
export function leaseWorld(parameters: Partial<Parameters> = {}): LeaseWorld {
  const { networkId } = base
  const state = createStateStore([...base.state.entries('' as StateKey)])
  const context = { ...base.context, parameters: { ...base.context.parameters, ...parameters } }
  change(state, (overlay) => {
    const segments = Array.from({ length: SEGMENTS }, () => ({ linear: 2_000_000n, attention: 100n }))
    const terms = { name: 'example', context: 1_024, price: PRICE, segments }
    putModel(overlay, MODEL, newModel(terms, { publisher: person(4).id, height: 1 }))
    for (const { id } of MINERS) {
      // For their fees.
      const from = { type: 'account', id: person(4).id } as const
      move(overlay, { amount: DLLM, from, to: { type: 'account', id } })
    }
  })
  return { networkId, state, context, events: [] }
}

/** Makes miners with a deposit, and places them over the whole model with two slots and a bid of 1, or as is said. */
export function serve(world: LeaseWorld, served: readonly Served[]): void {
  change(world.state, (overlay) => {
    for (const { miner: operator, payout = operator, deposit = DLLM, placement } of served) {
      const peerKey = taggedHash('test/peer', new TextEncoder().encode(operator))
      putMiner(overlay, operator, newMiner({ payout, peerKey, device: 'cpu' }, 1))
      const from = { type: 'account', id: person(4).id } as const
      move(overlay, { amount: deposit, from, to: { type: 'collateral', operator } })
      const whole = { first: 0, end: SEGMENTS, slots: 2, used: 0, bid: 1n, until: 300, incarnation: 0n }
      putPlacement(overlay, { model: MODEL, operator }, { ...whole, ...placement })
    }
  })
}

/** Two lots: the first miner serves segments 0 to 2, the second the others. */
export function twoLotWorld(): LeaseWorld {
  const [first, second] = MINERS as [Person, Person]
  const world = leaseWorld()
  serve(world, [
    { miner: first.id, placement: { end: 3, incarnation: 7n } },
    { miner: second.id, placement: { first: 3 } },
  ])
  return world
}

/** A transaction is refused with a code and changes nothing. */
export function expectRefused(
  world: LeaseWorld,
  by: Person,
  { code, ...refused }: { readonly type: number; readonly body: unknown; readonly code: string },
): void {
  const entries = (): unknown => [...world.state.entries('' as StateKey)]
  const before = entries()
  expect(() => call(world, by, refused)).toThrow(expect.objectContaining({ code }))
  expect(entries()).toEqual(before)
}

/** Merges what `write` writes, after a look at the sums. */
export function change(state: StateStore, write: (overlay: WriteState) => void): void {
  const overlay = overlayOn(state)
  write(overlay)
  const changes = overlay.changes()
  const fault = conservationFault(state, changes)
  assert(fault === undefined, `what a test does keeps the sums: ${fault}`)
  state.merge(changes)
}

/** Carries out a call at the sender's nonce. @throws TransactionError, and then nothing changed. */
export function call(world: LeaseWorld, by: Person, { type, body }: { type: number; body: unknown }): void {
  const nonce = getAccount(world.state, by.id).nonce
  const transaction = signedCall(world.networkId, by, { type, body, nonce, maxFee: 10n, tip: 0n })
  change(world.state, (overlay) => {
    applyTransaction(checkTransaction(transaction, overlay, world.context), overlay, world.context)
  })
}

/** Opens a lease over the whole model, or as is said. Returns its id. */
export function open(world: LeaseWorld, payer: Person, terms: Partial<OpenLease> = {}): Hash {
  const id = leaseIdOf(world.networkId, payer.id, getAccount(world.state, payer.id).nonce)
  call(world, payer, { type: 13, body: openBody(world, terms) })
  return id
}

export function openBody(world: LeaseWorld, terms: Partial<OpenLease> = {}): OpenLease {
  return {
    ...{ model: MODEL, voucherKey: VOUCHER_KEYS.publicKey, cuts: [], avoid: [], rows: 100, cap: DLLM, priceMax: PRICE },
    expiryHeight: world.context.height + 20,
    ...terms,
  }
}

export function voucherOf(
  world: LeaseWorld,
  lease: Hash,
  { seq = 1n, transcript = ZERO_HASH, ...counters }: Partial<Counters> & { seq?: bigint; transcript?: Hash },
): SignedVoucher {
  const none = { promptRows: 0n, promptPositions: 0n, decodeRows: 0n, decodePositions: 0n }
  const voucher = { lease, seq, transcript, counters: { ...none, ...counters } }
  return signVoucher(world.networkId, voucher, VOUCHER_KEYS.secretKey)
}

export function claimBody(lease: Hash, claim: Partial<ClaimLease> & { voucher?: SignedVoucher }): ClaimLease {
  const { voucher, ...rest } = claim
  const shown = voucher === undefined ? undefined : { key: VOUCHER_KEYS.publicKey, voucher }
  return { lease, shown, lot: 0, rows: 0, root: hash('0c'.repeat(32)), ...rest }
}

/** Ends blocks as a chain does, without what is not of the market. Returns what was settled. */
export function endBlocks(world: LeaseWorld, count = 1): Settlement[] {
  const before = world.events.length
  for (let block = 0; block < count; block++) {
    const { height, parameters } = world.context
    const seed = hashOf(taggedHash('test/seed', Uint8Array.of(height % 256)))
    change(world.state, (overlay) => world.events.push(...endMarketBlock(overlay, { height, parameters, seed })))
    world.context = { ...world.context, height: height + 1 }
  }
  const settled = world.events.slice(before).filter((event) => event.type === 'settled')
  return settled.map(({ type: _type, ...settlement }) => settlement)
}
