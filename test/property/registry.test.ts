/**
 * Whatever publishers and miners do in whatever order, while lots open and close: grains are kept, the state stays sound, a peer
 * serves one operator, and what is refused changes nothing.
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { keyPairFromSecret } from '../../src/core/ed25519.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { getAccount } from '../../src/core/state/accounts.ts'
import { conservationFault } from '../../src/core/state/conservation.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { getMiner, miners, putMiner } from '../../src/core/state/miners.ts'
import { models } from '../../src/core/state/models.ts'
import { getPlacement } from '../../src/core/state/placements.ts'
import { createStateStore, overlayOn, type StateKey, type StateStore } from '../../src/core/state/state.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../src/core/transaction/check.ts'
import { DLLM, type Person, person, signedCall, testGenesis, testNetwork } from '../chain-accounts.ts'
import { closeLot, lotsOf, openLot } from '../hand-lots.ts'

const people = [1, 2, 3, 4].map(person)
const {
  networkId,
  state: first,
  context: firstContext,
} = testNetwork(
  testGenesis({
    modelDeposit: 300n * DLLM,
    minerDepositMin: 2n * DLLM,
    placementBlocks: 5n,
    priceMin: 1n,
    priceMax: 9n,
  }),
)
const MODELS = ['a1', 'b2'].map((digits) => hash(digits.repeat(32)))
const PEERS = [201, 202, 203].map((number) => keyPairFromSecret(new Uint8Array(32).fill(number)))
/** Signing costs more than all else. */
const PROOFS = PEERS.map((peer) => people.map(({ id }) => provePeerKey({ networkId, operator: id }, peer)))

const amount = fc.constantFrom(0n, 1n, DLLM, 2n * DLLM, 3n * DLLM, 5n * DLLM, 990n * DLLM)
const which = fc.nat({ max: MODELS.length - 1 })
const small = fc.nat({ max: 3 })

const registerModel = fc.record({
  type: fc.constant(8),
  body: fc.record({
    model: fc.constantFrom(...MODELS),
    name: fc.constantFrom('one', 'two', ''),
    context: fc.constantFrom(0, 512, 512, 512),
    price: fc.bigInt({ min: 0n, max: 10n }),
    segments: fc.array(fc.record({ linear: fc.bigInt({ min: 0n, max: 9n }), attention: fc.constant<bigint>(1n) }), {
      maxLength: 3,
    }),
  }),
})
const retireModel = fc.record({ type: fc.constant(9), body: fc.record({ model: fc.constantFrom(...MODELS) }) })
const registerMiner = fc.record({
  ...{ type: fc.constant(10 as const), peer: fc.nat({ max: PEERS.length - 1 }), payout: small, deposit: amount },
  /** Whose proof it is: mostly the sender's. */
  prover: fc.option(small, { freq: 6, nil: undefined }),
})
const withdraw = fc.record({
  /** Grains; nothing given: all that can be. */
  ...{ type: fc.constant(11 as const), amount: fc.option(amount, { freq: 2, nil: undefined }) },
})
const place = fc.record({
  ...{ type: fc.constant(12 as const), model: fc.constantFrom(...MODELS), first: fc.constantFrom(0, 0, 1) },
  ...{ end: fc.constantFrom(1, 1, 1, 2, 3), slots: fc.constantFrom(0, 1, 2, 3), bid: fc.bigInt({ min: 0n, max: 10n }) },
  ...{ ahead: fc.integer({ min: -1, max: 6 }), incarnation: fc.bigInt({ min: 0n, max: 2n }), displaces: fc.boolean() },
})
/** What leases, audits and time do. */
const event = fc.record({
  event: fc.constantFrom('open', 'open', 'open', 'close', 'close', 'slash', 'block'),
  ...{ operator: small, model: which, task: fc.constantFrom(0n, DLLM) },
})
const call = fc.oneof(registerModel, retireModel, registerMiner, registerMiner, withdraw, withdraw, place, place, place)
const step = fc.oneof({ weight: 3, arbitrary: fc.record({ sender: small, call }) }, { weight: 2, arbitrary: event })
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never
type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never

interface World {
  readonly state: StateStore
  readonly context: TransactionContext
  /** Lots that were opened. */
  lots: number
}

function bodyOf(taken: Call, sender: number, { state, context: { height } }: World): unknown {
  if ('body' in taken) return taken.body
  if (taken.type === 11) {
    const { deposit, locked } = getMiner(state, people[sender]!.id) ?? { deposit: DLLM, locked: 0n }
    return { amount: taken.amount ?? deposit - locked }
  }
  if (taken.type === 10) {
    const { peer, payout, deposit, prover = sender } = taken
    return { ...PROOFS[peer]![prover]!, payout: people[payout]!.id, device: 'gpu', deposit }
  }
  const { ahead, ...terms } = taken
  return { ...terms, until: height + ahead }
}

/** Returns the code of a refusal. */
function send(world: World, sender: number, taken: Call): string | undefined {
  const { state, context } = world
  const by = people[sender] as Person
  const overlay = overlayOn(state)
  const nonce = getAccount(state, by.id).nonce
  const transaction = signedCall(networkId, by, {
    ...{ type: taken.type, body: bodyOf(taken, sender, world), nonce },
  })
  let code: string | undefined
  try {
    applyTransaction(checkTransaction(transaction, overlay, context), overlay, context)
  } catch (error) {
    code = codeOf(error)
    if (code === undefined) throw error
    expect(overlay.changes()).toEqual([])
  }
  expect(conservationFault(state, overlay.changes())).toBeUndefined()
  state.merge(overlay.changes())
  return code
}

/** A state in which models are served: most stories get no further by themselves. */
function served(): StateStore {
  const world: World = { state: createStateStore([...first.entries('' as StateKey)]), context: firstContext, lots: 0 }
  const segments = [{ linear: 5n, attention: 1n }]
  for (const [index, model] of MODELS.entries()) {
    send(world, index, { type: 8, body: { model, name: 'one', context: 512, price: 5n, segments } })
  }
  for (const sender of [0, 1, 3]) {
    const peer = Math.min(sender, 2)
    send(world, sender, { type: 10, peer, payout: 0, deposit: 5n * DLLM, prover: undefined })
    for (const model of MODELS) {
      send(world, sender, {
        ...{ type: 12, model, first: 0, end: 1, slots: 3, bid: 1n },
        ahead: 5,
        incarnation: 0n,
        displaces: false,
      })
    }
  }
  for (const operator of [0, 1]) {
    happen(world, { event: 'open', operator, model: operator, task: 0n })
  }
  return world.state
}

function happen(world: World, { event: what, operator: number, model: index, task }: Event): void {
  const operator = people[number]!.id
  const model = MODELS[index]!
  const overlay = overlayOn(world.state)
  const [miner, placement] = [getMiner(overlay, operator), getPlacement(overlay, { model, operator })]
  if (what === 'open' && miner?.status === 'active' && placement !== undefined) {
    const isFree = placement.used < placement.slots && miner.deposit - miner.locked >= task
    if (isFree) openLot(overlay, { model, operator, task }, ++world.lots)
  }
  const lot = lotsOf(overlay, operator)[0]
  if (what === 'close' && lot !== undefined) closeLot(overlay, lot)
  if (what === 'slash' && miner?.status === 'active' && number === 3) {
    putMiner(overlay, operator, { ...miner, status: 'slashed-out' })
  }
  expect(conservationFault(world.state, overlay.changes())).toBeUndefined()
  world.state.merge(overlay.changes())
}

test('grains are kept, the state stays sound, and a peer serves one operator', () => {
  const seen = new Map<string, number>()
  const note = (name: string) => seen.set(name, (seen.get(name) ?? 0) + 1)
  const [empty, busy] = [first, served()].map((state) => [...state.entries('' as StateKey)])
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { minLength: 10, maxLength: 25 }), (isBusy, steps: readonly Step[]) => {
      let world: World = { state: createStateStore(isBusy ? busy! : empty!), context: firstContext, lots: 2 }
      for (const taken of steps) {
        if ('call' in taken) note(send(world, taken.sender, taken.call) ?? `${taken.call.type}`)
        else if (taken.event === 'block')
          world = { ...world, context: { ...world.context, height: world.context.height + 1 } }
        else happen(world, taken)
        expect(stateFaults(world.state)).toEqual([])
        const peers = [...miners(world.state)].map(([, { peerKey }]) => bytesToHex(peerKey))
        expect(new Set(peers).size).toBe(peers.length)
        for (const [, { status }] of miners(world.state)) note(status)
        for (const [, { status }] of models(world.state)) note(`model ${status}`)
      }
    }),
    { numRuns: 80 },
  )
  // The stories reach what they are about.
  const reached = ['8', '9', '10', '11', '12', 'draining', 'slashed-out', 'model retired']
  expect(reached.filter((name) => !seen.has(name))).toEqual([])
})
