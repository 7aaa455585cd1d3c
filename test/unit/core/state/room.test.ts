/** Full tables of a model: who makes room for one entry more, who never does, and what looking costs. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lesser } from '../../../../src/base/bigint.ts'
import { hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { openLease, planLease, termsOf } from '../../../../src/core/market/open.ts'
import { closeLease, settleLease } from '../../../../src/core/market/settle.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { putCanaryReport } from '../../../../src/core/state/canary-reports.ts'
import { getMiner, getStanding, type MinerRecord, putMiner } from '../../../../src/core/state/miners.ts'
import { getModel } from '../../../../src/core/state/models.ts'
import {
  countPlacements,
  getPlacement,
  type PlacementRecord,
  placementIds,
  putPlacement,
} from '../../../../src/core/state/placements.ts'
import { endPlacements, roomForPlacement, roomForReport } from '../../../../src/core/state/registry.ts'
import { type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { putSupply } from '../../../../src/core/state/supply.ts'
import { place } from '../../../../src/core/transaction/place.ts'
import { reportCanary } from '../../../../src/core/transaction/report-canary.ts'
import { DLLM, person } from '../../../chain-accounts.ts'
import { countedState } from '../../../counted-state.ts'
import { crowdedState, minerOf, WIDE_MODEL } from '../../../many-miners.ts'

const PLACES = MARKET_LIMITS.placementsPerModelMax
const HEIGHT = 5
/** Every miner of it has a deposit of 1,000 DLLM. */
const LOWEST = 1_000n * DLLM
const crowd = crowdedState(PLACES)
for (let index = 0; index < PLACES; index++) {
  const overlay = overlayOn(crowd)
  putCanaryReport(overlay, { model: WIDE_MODEL, operator: minerOf(index) }, true)
  crowd.merge(overlay.changes())
}

function changed(
  miners: Readonly<Record<number, Partial<MinerRecord>>>,
  placements: Readonly<Record<number, Partial<PlacementRecord>>> = {},
): Overlay {
  const state = overlayOn(crowd)
  for (const [index, change] of Object.entries(miners)) {
    putMiner(state, minerOf(Number(index)), { ...getMiner(state, minerOf(Number(index)))!, ...change })
  }
  for (const [index, change] of Object.entries(placements)) {
    const id = { model: WIDE_MODEL, operator: minerOf(Number(index)) }
    putPlacement(state, id, { ...getPlacement(state, id)!, ...change })
  }
  return state
}

test.each<[string, Overlay, bigint, readonly number[] | { readonly lowest: bigint }]>([
  ['the lowest deposit goes', changed({ 7: { deposit: 3n } }), 4n, [7]],
  ['open lots keep nobody', changed({ 7: { deposit: 3n }, 8: { deposit: 4n } }, { 7: { used: 1 } }), 9n, [7]],
  ['nobody goes for the same deposit', changed({ 7: { deposit: 3n } }), 3n, { lowest: 3n }],
  ['nobody goes where that was not asked for', changed({ 7: { deposit: 0n } }), 0n, { lowest: 0n }],
  ['of equal deposits the miner goes that registered last', changed({ 9: { registeredHeight: 4 } }), LOWEST + 1n, [9]],
  ['of equal miners the greater id goes', changed({}), LOWEST + 1n, [PLACES - 1]],
  [
    'what is over goes first, all of it',
    changed({ 7: { deposit: 3n }, 8: { status: 'slashed-out' } }, { 9: { until: 4, used: 1 } }),
    0n,
    [8, 9],
  ],
])('of a full table %s', (_case, state, deposit, expected) => {
  const room = roomForPlacement(state, WIDE_MODEL, { height: HEIGHT, deposit })
  if (Array.isArray(expected)) expect(room).toEqual({ type: 'room', goes: expected.map(minerOf) })
  else expect(room).toEqual({ type: 'full', ...expected })
})

test.each<[string, Overlay, bigint, readonly number[] | { readonly lowest: bigint }]>([
  ['the lowest deposit goes, whatever it reported', changed({ 7: { deposit: 3n } }, { 7: { used: 1 } }), 4n, [7]],
  ['nobody goes for the same deposit', changed({}), LOWEST, { lowest: LOWEST }],
  ['those of who left go first', changed({ 7: { deposit: 3n }, 8: { status: 'slashed-out' } }), 0n, [8]],
])('of as many reports as there can be %s', (_case, state, deposit, expected) => {
  const room = roomForReport(state, WIDE_MODEL, deposit)
  if (Array.isArray(expected)) expect(room).toEqual({ type: 'room', goes: expected.map(minerOf) })
  else expect(room).toEqual({ type: 'full', ...expected })
})

test('where there is room nobody goes', () => {
  const state = changed({ 7: { deposit: 0n } }, { 9: { slots: 0 } })
  putCanaryReport(state, { model: WIDE_MODEL, operator: minerOf(9) }, undefined)
  expect(roomForPlacement(state, WIDE_MODEL, { height: HEIGHT, deposit: 1n })).toEqual({ type: 'room', goes: [] })
  expect(roomForReport(state, WIDE_MODEL, 1n)).toEqual({ type: 'room', goes: [] })
})

test('who goes leaves with its open lots, takes no place and reads as before', () => {
  const state = changed({}, { 7: { used: 2 } })
  const ids = [7, 8].map((index) => ({ model: WIDE_MODEL, operator: minerOf(index) }))
  const before = getPlacement(state, ids[0]!)
  endPlacements(
    state,
    WIDE_MODEL,
    ids.map(({ operator }) => operator),
  )
  expect(ids.map((id) => getPlacement(state, id))).toEqual([{ ...before, slots: 0 }, undefined])
  expect([countPlacements(state, WIDE_MODEL), [...placementIds(state, WIDE_MODEL)].length]).toEqual([
    PLACES - 2,
    PLACES - 1,
  ])
  // Its last lot closes, or it comes back.
  const back = overlayOn(state)
  putPlacement(back, ids[0]!, { ...before!, slots: 3 })
  expect([getPlacement(back, ids[0]!), countPlacements(back, WIDE_MODEL)]).toEqual([
    { ...before, slots: 3 },
    PLACES - 1,
  ])
  putPlacement(state, ids[0]!, { ...getPlacement(state, ids[0]!)!, used: 0 })
  expect([...placementIds(state, WIDE_MODEL)]).toHaveLength(PLACES - 2)
})

test('a lease whose miner is displaced closes and is settled like any other, and leaves nothing', () => {
  const state = overlayOn(crowd)
  putSupply(state, { genesis: 0n, issued: 0n, burnt: 0n, pool: 0n, bonded: 0n, proposalsMade: 0 })
  const id = hash('01'.repeat(32))
  const record = getModel(state, WIDE_MODEL)!
  const request = { leaseId: id, model: WIDE_MODEL, cuts: [], avoid: [], rows: 1_000 }
  const plan = planLease(state, { request, record }, { height: HEIGHT, parameters: INITIAL_PARAMETERS })
  if (!plan.ok) throw new Error('somebody serves it')
  openLease(state, id, {
    ...{ payer: person(1).id, model: WIDE_MODEL, voucherKey: new Uint8Array(32), cap: 0n, openedHeight: HEIGHT },
    ...{ expiryHeight: 9, terms: termsOf(record.price, INITIAL_PARAMETERS), lots: plan.lots },
  })
  const { operator } = plan.lots[0]!
  endPlacements(state, WIDE_MODEL, [operator])
  expect(getPlacement(state, { model: WIDE_MODEL, operator })).toMatchObject({ slots: 0, used: 1 })
  closeLease(state, id, 20)
  settleLease(state, id)
  expect(getPlacement(state, { model: WIDE_MODEL, operator })).toBeUndefined()
  expect(getMiner(state, operator)).toMatchObject({ status: 'active', openLots: 0, locked: 0n })
})

test('what is compared of a miner is what its record says', () => {
  const state = changed({
    3: { deposit: 2n ** 63n, locked: 1n, openLots: 9, status: 'slashed-out', registeredHeight: 77 },
  })
  for (const index of [0, 3]) {
    const { deposit, status, registeredHeight } = getMiner(state, minerOf(index))!
    expect(getStanding(state, minerOf(index))).toEqual({ deposit, status, registeredHeight })
  }
  expect(getStanding(state, minerOf(PLACES))).toBeUndefined()
})

test('who goes has the lowest deposit, whoever they are', () => {
  const some = fc.array(
    fc.record({ which: fc.nat({ max: PLACES - 1 }), deposit: fc.bigInt(0n, 9n), used: fc.nat({ max: 1 }) }),
  )
  fc.assert(
    fc.property(some, fc.bigInt(0n, 10n), (drawn, deposit) => {
      const entries = new Map(drawn.map((entry) => [entry.which, entry]))
      const of = (value: (entry: (typeof drawn)[number]) => object) =>
        Object.fromEntries([...entries].map(([which, entry]) => [which, value(entry)]))
      const state = changed(
        of(({ deposit: own }) => ({ deposit: own })),
        of(({ used }) => ({ used })),
      )
      const known = [...entries.values()]
      const room = roomForPlacement(state, WIDE_MODEL, { height: HEIGHT, deposit })
      const lowest = known.reduce((least, { deposit: own }) => lesser(own, least), LOWEST)
      const last = Math.max(...known.filter(({ deposit: own }) => own === lowest).map(({ which }) => which))
      expect(room).toEqual(lowest < deposit ? { type: 'room', goes: [minerOf(last)] } : { type: 'full', lowest })
    }),
    { numRuns: 20 },
  )
})

describe('looking for room', () => {
  test('reads each record once, beside the count of them', () => {
    const placements = countedState(overlayOn(crowd))
    roomForPlacement(placements, WIDE_MODEL, { height: HEIGHT, deposit: 1n })
    expect(placements.touched).toBe(3 * PLACES)
    const reports = countedState(overlayOn(crowd))
    roomForReport(reports, WIDE_MODEL, 1n)
    expect(reports.touched).toBe(3 * PLACES)
  })

  test('is paid for by who makes others look', () => {
    const body = { model: WIDE_MODEL, first: 0, end: 1, slots: 1, bid: 0n, until: 9, incarnation: 0n }
    expect([false, true].map((displaces) => place.units({ ...body, displaces }))).toEqual([60, 280])
    expect(reportCanary.units({ model: WIDE_MODEL, passed: true })).toBe(240)
  })
})
