/** Models, miners and placements in the state: what their tables keep of themselves, pots of the market, and broken states that are seen. */
import { describe, expect, test } from 'vitest'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { genesisState } from '../../../../src/core/genesis.ts'
import { putCanaryReport } from '../../../../src/core/state/canary-reports.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import {
  getMiner,
  type MinerRecord,
  newMiner,
  operatorOfPeerKey,
  peerKeyKey,
  putMiner,
} from '../../../../src/core/state/miners.ts'
import { modelDueKey } from '../../../../src/core/state/model-dues.ts'
import { getModel, type ModelRecord, modelKey, newModel, putModel } from '../../../../src/core/state/models.ts'
import { burn, type Movement, move } from '../../../../src/core/state/money.ts'
import {
  isLive,
  type PlacementRecord,
  placements,
  placementsOf,
  putPlacement,
} from '../../../../src/core/state/placements.ts'
import { createStateStore, overlayOn, type StateKey, type WriteState } from '../../../../src/core/state/state.ts'
import { isIterated } from '../../../../src/core/state/tables.ts'
import { DLLM, person, testGenesis } from '../../../chain-accounts.ts'

const [ann, ben] = [1, 2].map((number) => person(number).id) as [Id, Id]
type Id = ReturnType<typeof person>['id']
const [MODEL, OTHER] = ['a1', 'b2'].map((digits) => hash(digits.repeat(32))) as [Hash, Hash]
const LEASE = hash('cc'.repeat(32))
const [keyOfAnn, keyOfBen] = [person(1).consensus.publicKey, person(2).consensus.publicKey]
const segments = [1, 2].map(() => ({ linear: 5n, attention: 1n }))
const model = newModel({ name: 'example', context: 512, price: 1n, segments }, { publisher: ann, height: 1 })
const miner = newMiner({ payout: ann, peerKey: keyOfAnn, device: 'cpu' }, 1)
const placement: PlacementRecord = { first: 0, end: 2, slots: 1, used: 0, bid: 0n, until: 9, incarnation: 0n }

const account = (id: Id) => ({ type: 'account', id }) as const
const base = overlayOn(createStateStore(genesisState(testGenesis())))
putModel(base, MODEL, model)
putMiner(base, ann, miner)
putPlacement(base, { model: MODEL, operator: ann }, placement)
move(base, { amount: 5n * DLLM, from: account(ann), to: { type: 'collateral', operator: ann } })
move(base, { amount: 7n * DLLM, from: account(ann), to: { type: 'model', model: MODEL } })
const whole = (state: ReturnType<typeof overlayOn>) => createStateStore([...state.entries('' as StateKey)])

describe('money', () => {
  test('stands in the records of models and miners', () => {
    const state = overlayOn(base)
    expect([getModel(state, MODEL)?.deposit, getMiner(state, ann)?.deposit]).toEqual([7n * DLLM, 5n * DLLM])
    burn(state, { type: 'collateral', operator: ann }, DLLM)
    move(state, { amount: DLLM, from: { type: 'model', model: MODEL }, to: { type: 'collateral', operator: ann } })
    expect([getModel(state, MODEL)?.deposit, getMiner(state, ann)?.deposit]).toEqual([6n * DLLM, 5n * DLLM])
    expect(conservationFault(base, state.changes())).toBeUndefined()
    expect(stateFaults(whole(state))).toEqual([])
  })

  test.each<[string, Movement]>([
    ['into the deposit of no model', { amount: 1n, from: account(ben), to: { type: 'model', model: OTHER } }],
    ['into the deposit of no miner', { amount: 1n, from: account(ben), to: { type: 'collateral', operator: ben } }],
    ['into the escrow of no lease', { amount: 1n, from: account(ben), to: { type: 'escrow', lease: LEASE } }],
    ['more than a model has', { amount: 8n * DLLM, from: { type: 'model', model: MODEL }, to: account(ben) }],
    ['more than a miner has', { amount: 6n * DLLM, from: { type: 'collateral', operator: ann }, to: account(ben) }],
  ])('never moves %s', (_case, movement) => {
    const state = overlayOn(base)
    expect(() => move(state, movement)).toThrow(expect.objectContaining({ name: 'AssertionError' }))
  })

  test('is never lost with a miner', () => {
    expect(() => putMiner(overlayOn(base), ann, undefined)).toThrow('without money')
  })
})

describe('peer keys', () => {
  test('follow their miners', () => {
    const state = overlayOn(base)
    putMiner(state, ann, { ...getMiner(state, ann)!, peerKey: keyOfBen })
    expect([keyOfAnn, keyOfBen].map((key) => operatorOfPeerKey(state, key))).toEqual([undefined, ann])
    move(state, { amount: 5n * DLLM, from: { type: 'collateral', operator: ann }, to: account(ann) })
    putMiner(state, ann, undefined)
    expect(operatorOfPeerKey(state, keyOfBen)).toBeUndefined()
  })

  test('serve one operator', () => {
    expect(() => putMiner(overlayOn(base), ben, miner)).toThrow('one operator')
  })

  test('are not indexed in a node; models, miners and placements are', () => {
    const store = createStateStore(base.changes(), isIterated)
    expect(operatorOfPeerKey(store, keyOfAnn)).toBe(ann)
    expect([...placements(store, MODEL)]).toEqual([[ann, placement]])
    expect([...placementsOf(store, ann)]).toEqual([[MODEL, placement]])
  })
})

test.each<[string, Partial<PlacementRecord>, Partial<MinerRecord> | undefined, boolean]>([
  ['until its last height', { until: 9 }, {}, true],
  ['not after it', { until: 8 }, {}, false],
  ['with all slots used', { used: 1 }, {}, true],
  ['not without slots', { slots: 0, used: 1 }, {}, false],
  ['not of who drains', {}, { status: 'draining' }, false],
  ['not of who was slashed out', {}, { status: 'slashed-out' }, false],
  ['not of nobody', {}, undefined, false],
])('at height 9 a placement is live %s', (_case, change, of, expected) => {
  expect(isLive({ ...placement, ...change }, of && { ...miner, ...of }, 9)).toBe(expected)
})

describe('a broken state is seen', () => {
  const put = (change: Partial<MinerRecord>) => (state: WriteState) =>
    putMiner(state, ann, { ...getMiner(state, ann)!, ...change })
  const place = (change: Partial<PlacementRecord>) => (state: WriteState) =>
    putPlacement(state, { model: MODEL, operator: ann }, { ...placement, ...change })
  const become = (change: Partial<ModelRecord>) => (state: WriteState) =>
    putModel(state, MODEL, { ...getModel(state, MODEL)!, ...change })
  test.each<[string, (state: WriteState) => void, RegExp, boolean]>([
    ['a deposit out of nothing', put({ deposit: 6n * DLLM }), /are held/, true],
    ['a lost deposit of a model', (state) => putModel(state, MODEL, model), /are held/, true],
    ['a lock beyond the deposit', put({ locked: 6n * DLLM }), /6000000000 grains locked/, false],
    ['a lot that is not in a lease', put({ openLots: 1 }), /counts 1 lots/, false],
    ['a slot that is used by no lease', place({ used: 1 }), /open lots/, false],
    ['who drains and has a deposit', put({ status: 'draining', openLots: 1 }), /is draining and has a deposit/, false],
    ['a peer key of nobody', (state) => state.set(peerKeyKey(keyOfBen), Buffer.from(ben, 'hex')), /no miner/, false],
    ['a second peer key', (state) => state.set(peerKeyKey(keyOfBen), Buffer.from(ann, 'hex')), /beside its own/, false],
    ['a peer key that is gone', (state) => state.set(peerKeyKey(keyOfAnn), undefined), /belongs to another/, false],
    ['a run beyond the model', place({ end: 3 }), /segments that there are not/, false],
    ['a placement of no model', (state) => state.set(modelKey(MODEL), undefined), /is of no model/, true],
    [
      'a placement of no miner',
      (state) => putPlacement(state, { model: MODEL, operator: ben }, placement),
      /no miner/,
      false,
    ],
    [
      'a model without segments',
      (state) => putModel(state, OTHER, { ...model, segments: [] }),
      /segments of model/,
      false,
    ],
    ['a retired model that is offered', become({ status: 'retired' }), /offers a retired model/, false],
    ['a model that nobody approved and that is offered', become({ status: 'published' }), /offers a published/, false],
    ['an approved model that is never looked at', become({ status: 'approved' }), /due at undefined/, false],
    ['an active model that is due', become({ dueHeight: 9 }), /is active and due at 9/, false],
    ['a model that nothing superseded', become({ status: 'superseded', dueHeight: 9 }), /superseded by none/, false],
    ['an active model with a successor', become({ successor: OTHER }), /has a successor/, false],
    ['an active model that was looked at', become({ tries: 1 }), /looked at 1 times/, false],
    ['a version for no place', become({ status: 'approved', dueHeight: 9 }), /for no place/, false],
    [
      'a due of no model',
      (state) => state.set(modelDueKey({ height: 9, model: OTHER }), Uint8Array.of(0)),
      /is not due at 9/,
      false,
    ],
    [
      'a due that is gone',
      (state) => {
        become({ status: 'superseded', successor: OTHER, dueHeight: 9 })(state)
        state.set(modelDueKey({ height: 9, model: MODEL }), undefined)
      },
      /1 models wait and 0 are due/,
      false,
    ],
    [
      'a canary report on an active model',
      (state) => putCanaryReport(state, { model: MODEL, operator: ann }, true),
      /has canary reports/,
      false,
    ],
    [
      'a canary report on no model',
      (state) => putCanaryReport(state, { model: OTHER, operator: ann }, false),
      /which is no model/,
      false,
    ],
  ])('%s', (_case, damage, fault, isInSums) => {
    const state = overlayOn(base)
    damage(state)
    expect(stateFaults(whole(state)).join('\n')).toMatch(fault)
    expect(conservationFault(base, state.changes()) !== undefined).toBe(isInSums)
  })

  test('and a sound one has no faults', () => {
    expect(stateFaults(whole(base))).toEqual([])
  })
})
