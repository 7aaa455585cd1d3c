/** Models, miners and placements: what each contract changes when accepted, and by which code each refusal is known. */
import { describe, expect, test } from 'vitest'
import { type AccountId, type Hash, hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { provePeerKey } from '../../../../src/core/peer-key-proof.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getMiner, newMiner, operatorOfPeerKey, putMiner } from '../../../../src/core/state/miners.ts'
import { getModel, modelHashes, putModel } from '../../../../src/core/state/models.ts'
import {
  getPlacement,
  type PlacementRecord,
  placementIds,
  putPlacement,
} from '../../../../src/core/state/placements.ts'
import { createStateStore, type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../../../src/core/transaction/check.ts'
import type { Place } from '../../../../src/core/transaction/place.ts'
import type { RegisterMiner } from '../../../../src/core/transaction/register-miner.ts'
import type { RegisterModel } from '../../../../src/core/transaction/register-model.ts'
import { DLLM, type Person, person, signedCall, testGenesis, testNetwork } from '../../../chain-accounts.ts'
import { closeLot, lotsOf, openLot } from '../../../hand-lots.ts'

const [ben, cleo, dan] = [2, 3, 4].map(person) as [Person, Person, Person]
const network = testNetwork(
  testGenesis({
    modelDeposit: 10n * DLLM,
    minerDepositMin: 2n * DLLM,
    placementBlocks: 50n,
    priceMin: 2n,
    priceMax: 90n,
  }),
)
const HEIGHT = network.context.height
const MODEL = hash('a1'.repeat(32))
let state: Overlay

interface Step {
  readonly type: number
  readonly body: unknown
  readonly by?: Person
  readonly at?: Partial<TransactionContext>
}

/** Carries out a call at the sender's nonce. */
function apply({ type, body, by = cleo, at = {} }: Step): void {
  const context = { ...network.context, ...at }
  const nonce = getAccount(state, by.id).nonce
  const call = signedCall(network.networkId, by, { type, body, nonce })
  applyTransaction(checkTransaction(call, state, context), state, context)
}

/** As `apply`; sums must agree afterwards, and the whole state be sound. */
function run(step: Step): void {
  apply(step)
  expect(conservationFault(network.state, state.changes())).toBeUndefined()
  expect(stateFaults(createStateStore([...network.state.entries('' as never), ...state.changes()]))).toEqual([])
}

function refuses(step: Step, code: string): void {
  const before = state.changes()
  expect(() => apply(step)).toThrow(expect.objectContaining({ code }))
  expect(state.changes()).toEqual(before)
}

const segments = [1, 2, 3].map((number) => ({ linear: BigInt(number) * 1_000_000n, attention: 384n }))
const aModel: RegisterModel = { model: MODEL, name: 'example-1', context: 512, price: 5n, segments }
const model = (change: Partial<RegisterModel> = {}): Step => ({ type: 8, body: { ...aModel, ...change } })
const retire = (of: Hash = MODEL): Step => ({ type: 9, body: { model: of } })
const peerOf = (number: number) => keyPairFromSecret(new Uint8Array(32).fill(200 + number))
const miner = (change: Partial<RegisterMiner> = {}, operator: Person = cleo, peer = 1): Step => {
  const proof = provePeerKey({ networkId: network.networkId, operator: operator.id }, peerOf(peer))
  const body = { payout: operator.id, device: 'cpu', deposit: 5n * DLLM, ...proof, ...change }
  return { type: 10, body, by: operator }
}
const withdraw = (amount: bigint): Step => ({ type: 11, body: { amount } })
const aPlace: Place = { model: MODEL, first: 0, end: 2, slots: 3, bid: 4n, until: HEIGHT + 50, incarnation: 7n }
const place = (change: Partial<Place> = {}): Step => ({ type: 12, body: { ...aPlace, ...change } })

let lots = 0

/** Opens lots of cleo, with so many grains locked for each. */
function open(count: number, task = 0n): void {
  for (let index = 0; index < count; index++) openLot(state, { model: MODEL, operator: cleo.id, task }, ++lots)
}

/** Closes lots of cleo. */
function close(count: number): void {
  for (const id of lotsOf(state, cleo.id).slice(0, count)) closeLot(state, id)
}

function begin(...steps: readonly Step[]): void {
  state = overlayOn(network.state)
  for (const step of steps) run(step)
}

describe('register-model', () => {
  test('locks the deposit', () => {
    begin(model())
    const { model: _, ...claim } = aModel
    expect(getModel(state, MODEL)).toEqual({ ...claim, publisher: cleo.id, deposit: 10n * DLLM, status: 'active' })
    expect(getAccount(state, cleo.id).balance).toBe(990n * DLLM - 200n * 12n)
  })

  const many = (count: number) => Array.from({ length: count }, () => segments[0]!)
  /** At the end of the context: 2³² CU in all. */
  const most = { linear: 2n ** 32n * 1_000_000n - 384n * 512n, attention: 384n }
  test.each<[string, Partial<RegisterModel>, string]>([
    ['without a name', { name: '' }, 'BAD_NAME'],
    ['with a name that is a path', { name: '../a' }, 'BAD_NAME'],
    ['with a space in its name', { name: 'a b' }, 'BAD_NAME'],
    ['without positions', { context: 0 }, 'BAD_CONTEXT'],
    ['without segments', { segments: [] }, 'BAD_SEGMENTS'],
    ['with a segment that works nothing', { segments: [{ linear: 0n, attention: 9n }] }, 'BAD_SEGMENTS'],
    ['with rows that are too dear', { segments: [{ ...most, linear: most.linear + 1n }] }, 'BAD_SEGMENTS'],
    ['with two segments that are too dear together', { segments: [most, segments[0]!] }, 'BAD_SEGMENTS'],
    ['below the lowest price', { price: 1n }, 'PRICE_OUT_OF_BOUNDS'],
    ['above the highest price', { price: 91n }, 'PRICE_OUT_OF_BOUNDS'],
  ])('%s is refused', (_case, change, code) => {
    begin()
    refuses(model(change), code)
  })

  test('has as many segments as can be, and not one more', () => {
    begin(model({ segments: many(MARKET_LIMITS.segmentsMax) }))
    refuses(model({ segments: many(MARKET_LIMITS.segmentsMax + 1) }), 'BAD_BODY')
    begin(model({ segments: [most] }))
  })

  test('without the deposit is refused', () => {
    begin()
    refuses({ ...model(), by: person(5) }, 'INSUFFICIENT_FUNDS')
    refuses(
      { ...model(), at: { parameters: { ...network.context.parameters, modelDeposit: 1_000n * DLLM } } },
      'INSUFFICIENT_FUNDS',
    )
  })

  test('a second time is refused while it is active, or lots of it are open', () => {
    begin(model(), miner(), place())
    refuses({ ...model(), by: dan }, 'MODEL_EXISTS')
    open(1)
    run(retire())
    refuses({ ...model(), by: dan }, 'MODEL_EXISTS')
    close(1)
    run({ ...model({ name: 'again' }), by: dan })
    expect(getModel(state, MODEL)).toMatchObject({ name: 'again', publisher: dan.id, status: 'active' })
  })

  test('beyond the last place is refused; who is retired without open lots makes room', () => {
    begin()
    const numbered = (number: number) => hash(number.toString(16).padStart(64, '0'))
    const { model: _, ...claim } = aModel
    const record = { ...claim, publisher: dan.id, deposit: 0n, status: 'active' as const }
    for (let number = 0; number < MARKET_LIMITS.modelsMax; number++) putModel(state, numbered(number), record)
    refuses(model(), 'MODELS_FULL')
    for (const number of [3, 8]) putModel(state, numbered(number), { ...record, status: 'retired' })
    run(miner({}, ben))
    const ended: PlacementRecord = { first: 0, end: 1, slots: 0, used: 1, bid: 0n, until: 1, incarnation: 0n }
    putPlacement(state, { model: numbered(3), operator: ben.id }, { ...ended, slots: 1, used: 0 })
    openLot(state, { model: numbered(3), operator: ben.id }, 1)
    putPlacement(state, { model: numbered(3), operator: ben.id }, ended)
    run(model())
    expect([...modelHashes(state)]).toHaveLength(MARKET_LIMITS.modelsMax)
    expect([getModel(state, numbered(3))?.status, getModel(state, numbered(8))]).toEqual(['retired', undefined])
    refuses(model({ model: hash('ff'.repeat(32)) }), 'MODELS_FULL')
  })
})

describe('retire-model', () => {
  test('returns the deposit; without open lots nothing stays of it', () => {
    begin(model(), miner(), place())
    const { balance } = getAccount(state, cleo.id)
    run(retire())
    expect(getAccount(state, cleo.id).balance).toBe(balance + 10n * DLLM - 20n * 12n)
    expect([getModel(state, MODEL), [...placementIds(state)]]).toEqual([undefined, []])
  })

  test('ends placements; those with open lots stay until these close', () => {
    begin(model(), miner(), place(), miner({}, dan, 2), { ...place(), by: dan })
    open(2)
    run(retire())
    expect(getModel(state, MODEL)).toMatchObject({ status: 'retired', deposit: 0n })
    expect([...placementIds(state)]).toEqual([{ model: MODEL, operator: cleo.id }])
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 0, used: 2 })
    refuses(retire(), 'MODEL_RETIRED')
    refuses(place(), 'MODEL_RETIRED')
    close(2)
    expect([...placementIds(state)]).toEqual([])
  })

  test('is for the publisher alone', () => {
    begin(model())
    refuses({ ...retire(), by: dan }, 'NOT_THE_PUBLISHER')
    refuses(retire(hash('00'.repeat(32))), 'NO_SUCH_MODEL')
  })
})

describe('register-miner', () => {
  test('makes a miner with a deposit and a peer', () => {
    begin(miner({ payout: dan.id, device: 'gpu' }))
    const { publicKey } = peerOf(1)
    expect(getMiner(state, cleo.id)).toMatchObject({
      ...{ payout: dan.id, peerKey: publicKey, device: 'gpu', deposit: 5n * DLLM, locked: 0n, openLots: 0 },
      ...{ status: 'active', registeredHeight: HEIGHT, workRate: 0n, auditedReceipts: 0 },
    })
    expect(operatorOfPeerKey(state, publicKey)).toBe(cleo.id)
    expect(getAccount(state, cleo.id).balance).toBe(995n * DLLM - 200n * 12n)
  })

  test('again changes what it said and adds to the deposit', () => {
    begin(miner(), miner({ deposit: 0n, device: 'gpu' }), miner({ deposit: DLLM, payout: dan.id }))
    expect(getMiner(state, cleo.id)).toMatchObject({ deposit: 6n * DLLM, device: 'cpu', payout: dan.id })
  })

  test('changes the peer only without open lots, and sets the old one free', () => {
    begin(model(), miner(), place())
    open(1)
    refuses(miner({}, cleo, 2), 'PEER_KEY_CHANGED')
    run(miner({ device: 'gpu' }))
    close(1)
    run(miner({}, cleo, 2))
    expect(operatorOfPeerKey(state, peerOf(1).publicKey)).toBeUndefined()
    run(miner({}, dan, 1))
    refuses(miner({}, dan, 2), 'PEER_KEY_USED')
    refuses(miner({}, cleo, 1), 'PEER_KEY_USED')
  })

  test.each<[string, () => Step, string]>([
    ['with too small a deposit', () => miner({ deposit: 2n * DLLM - 1n }), 'DEPOSIT_TOO_SMALL'],
    ['with more than there is', () => miner({ deposit: 1_000n * DLLM }), 'INSUFFICIENT_FUNDS'],
    ['with the proof of another account', () => ({ ...miner({}, dan), by: cleo }), 'BAD_PEER_PROOF'],
    ['with the proof of another peer', () => miner({ peerKey: peerOf(2).publicKey }), 'BAD_PEER_PROOF'],
    [
      'with the proof of another network',
      () => miner(provePeerKey({ networkId: MODEL, operator: cleo.id }, peerOf(1))),
      'BAD_PEER_PROOF',
    ],
  ])('%s is refused', (_case, step, code) => {
    begin()
    refuses(step(), code)
  })

  test('of who was slashed out is refused, with any peer', () => {
    begin(miner())
    putMiner(state, cleo.id, { ...getMiner(state, cleo.id)!, status: 'slashed-out' })
    refuses(miner(), 'MINER_SLASHED_OUT')
    run(withdraw(5n * DLLM))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'slashed-out', deposit: 0n })
    refuses(miner({}, cleo, 2), 'MINER_SLASHED_OUT')
    refuses(miner({}, dan, 1), 'PEER_KEY_USED')
  })
})

describe('withdraw-deposit', () => {
  test('of a part leaves a miner, of all none', () => {
    begin(model(), miner(), place(), withdraw(3n * DLLM))
    expect(getMiner(state, cleo.id)?.deposit).toBe(2n * DLLM)
    run(withdraw(2n * DLLM))
    expect([getMiner(state, cleo.id), [...placementIds(state)]]).toEqual([undefined, []])
    expect(operatorOfPeerKey(state, peerOf(1).publicKey)).toBeUndefined()
    run(miner({}, dan, 1))
  })

  test('of all with lots open drains: the record goes with the last of them', () => {
    begin(model(), miner(), place())
    open(2)
    run(withdraw(5n * DLLM))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'draining', deposit: 0n })
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 0, used: 2 })
    refuses(place(), 'DEPOSIT_TOO_SMALL')
    close(1)
    expect(getMiner(state, cleo.id)?.status).toBe('draining')
    close(1)
    expect([getMiner(state, cleo.id), [...placementIds(state)]]).toEqual([undefined, []])
  })

  test('can be taken back while lots are open', () => {
    begin(model(), miner(), place())
    open(1)
    run(withdraw(5n * DLLM))
    refuses(miner({ deposit: 0n }), 'DEPOSIT_TOO_SMALL')
    run(miner({ deposit: 2n * DLLM }))
    run(place({ incarnation: 8n }))
    expect(getMiner(state, cleo.id)).toMatchObject({ status: 'active', deposit: 2n * DLLM, openLots: 1 })
    expect(getPlacement(state, { model: MODEL, operator: cleo.id })).toMatchObject({ slots: 3, used: 1 })
  })

  test.each([
    ['of nothing', withdraw(0n), 'ZERO_AMOUNT'],
    ['by who is no miner', { ...withdraw(1n), by: dan }, 'NO_SUCH_MINER'],
    ['of more than there is', withdraw(5n * DLLM + 1n), 'DEPOSIT_LOCKED'],
    ['that leaves too little', withdraw(3n * DLLM + 1n), 'DEPOSIT_TOO_SMALL'],
  ])('%s is refused', (_case, step, code) => {
    begin(miner())
    refuses(step, code)
  })

  test('of what stands behind lots is refused', () => {
    begin(model(), miner(), place())
    open(1, 2n * DLLM)
    refuses(withdraw(3n * DLLM + 1n), 'DEPOSIT_LOCKED')
    refuses(withdraw(5n * DLLM), 'DEPOSIT_LOCKED')
    run(withdraw(3n * DLLM))
  })
})

describe('place', () => {
  const id = { model: MODEL, operator: cleo.id }

  test('makes, renews and ends a placement', () => {
    begin(model(), miner(), place())
    const { model: _, ...terms } = aPlace
    expect(getPlacement(state, id)).toEqual({ ...terms, used: 0 })
    run(place({ first: 1, end: 3, until: HEIGHT, incarnation: 9n }))
    expect(getPlacement(state, id)).toMatchObject({ first: 1, end: 3, until: HEIGHT, incarnation: 9n })
    run(place({ slots: 0, first: 9, end: 0, until: 0, incarnation: 9n }))
    expect(getPlacement(state, id)).toBeUndefined()
  })

  test('counts open lots on, whatever it says; an end waits for them', () => {
    begin(model(), miner(), place())
    open(2)
    run(place({ slots: 1, incarnation: 8n }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 1, used: 2 })
    run(place({ slots: 0, first: 0, end: 0, bid: 0n, until: 0, incarnation: 8n }))
    expect(getPlacement(state, id)).toMatchObject({ slots: 0, used: 2, first: 0, end: 2, bid: 4n })
    close(2)
    expect(getPlacement(state, id)).toBeUndefined()
  })

  test.each<[string, Partial<Place>, string]>([
    ['of an unknown model', { model: hash('00'.repeat(32)) }, 'NO_SUCH_MODEL'],
    ['of no segments', { first: 1, end: 1 }, 'BAD_RUN'],
    ['backwards', { first: 2, end: 1 }, 'BAD_RUN'],
    ['beyond the last segment', { end: 4 }, 'BAD_RUN'],
    ['that has ended', { until: HEIGHT - 1 }, 'ALREADY_PAST'],
    ['for too long', { until: HEIGHT + 51 }, 'TOO_LONG_AHEAD'],
    ['with a bid that no price reaches', { bid: 91n }, 'BID_ABOVE_PRICE_MAX'],
    ['that is none, ended', { slots: 0 }, 'NO_SUCH_PLACEMENT'],
  ])('%s is refused', (_case, change, code) => {
    begin(model(), miner())
    refuses(place(change), code)
  })

  test('of who is no miner, or has too small a deposit by now, is refused', () => {
    begin(model(), miner())
    refuses({ ...place(), by: dan }, 'NO_SUCH_MINER')
    const parameters = { ...network.context.parameters, minerDepositMin: 6n * DLLM }
    refuses({ ...place(), at: { parameters } }, 'DEPOSIT_TOO_SMALL')
  })

  test('of an earlier start is refused: a ghost neither renews nor ends what took its place', () => {
    begin(model(), miner(), place())
    refuses(place({ incarnation: 6n }), 'STALE_INCARNATION')
    refuses(place({ slots: 0, incarnation: 6n }), 'STALE_INCARNATION')
    run(place({ incarnation: 7n }))
  })

  test('of who was slashed out is refused, but it can end what it has', () => {
    begin(model(), miner(), place())
    putMiner(state, cleo.id, { ...getMiner(state, cleo.id)!, status: 'slashed-out' })
    refuses(place(), 'MINER_SLASHED_OUT')
    run(place({ slots: 0 }))
  })

  test('beyond the last place is refused; those that ended without open lots make room', () => {
    begin(model(), miner())
    const numbered = (number: number) => number.toString(16).padStart(40, '0') as AccountId
    const { model: _, ...terms } = aPlace
    for (let number = 0; number < MARKET_LIMITS.placementsPerModelMax; number++) {
      const operator = numbered(number)
      const peerKey = new Uint8Array(32)
      new DataView(peerKey.buffer).setUint32(0, number)
      putMiner(state, operator, newMiner({ payout: operator, peerKey, device: 'cpu' }, 1))
      putPlacement(state, { model: MODEL, operator }, { ...terms, used: 0, until: number === 5 ? 4 : HEIGHT })
      openLot(state, { model: MODEL, operator }, number)
    }
    refuses(place(), 'PLACEMENTS_FULL')
    const free = (number: number) => closeLot(state, lotsOf(state, numbered(number))[0]!)
    // Live without lots: stays.
    free(4)
    refuses(place(), 'PLACEMENTS_FULL')
    free(5)
    free(6)
    putMiner(state, numbered(6), { ...getMiner(state, numbered(6))!, status: 'slashed-out' })
    run(place())
    expect([...placementIds(state, MODEL)]).toHaveLength(MARKET_LIMITS.placementsPerModelMax - 1)
    run(place({ slots: 2 }))
  })
})
