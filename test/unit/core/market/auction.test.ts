/** The auctions: who wins, what it gets, who stands by, and what is refused. */
import { expect, test } from 'vitest'
import type { AccountId } from '../../../../src/base/brand.ts'
import { assign } from '../../../../src/core/market/auction.ts'
import type { Assignment, Candidate } from '../../../../src/core/market/lot-offer.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { createDice } from '../../../chain-random.ts'
import { randomHash, randomInstance, testAccount } from '../../../market-random.ts'

const UNITS = 1_000n
const FLOOR = INITIAL_PARAMETERS.rateFloor
const LEASE = randomHash(createDice(1n))
const CONTEXT = { leaseId: LEASE, price: 1_000n, parameters: { ...INITIAL_PARAMETERS, payFloor: 0n } }
// The budget is 830 grains per CU; at the floor slowness is a fifth of it, 166.

function miner(number: number, bid: bigint, change: Partial<Candidate> = {}): Candidate {
  return { operator: testAccount(number), payout: testAccount(number), bid, rate: FLOOR, ...change }
}

const one = (...candidates: Candidate[]) => assign([{ units: UNITS, candidates }], CONTEXT)
const operatorsOf = (assignment: Assignment): (AccountId | undefined)[] =>
  assignment.ok ? assignment.lots.flatMap(({ operator, standby }) => [operator, standby]) : []
const ratesOf = (assignment: Assignment): bigint[] => (assignment.ok ? assignment.lots.map(({ rate }) => rate) : [])

test('the cheaper of two alike wins and gets what the other asked', () => {
  const assignment = one(miner(1, 400n), miner(2, 300n))
  expect(operatorsOf(assignment)).toEqual([testAccount(2), testAccount(1)])
  expect(ratesOf(assignment)).toEqual([400n])
})

test('alone, a miner gets the budget less its slowness, whatever it bid', () => {
  expect(ratesOf(one(miner(1, 0n)))).toEqual([664n])
  expect(ratesOf(one(miner(1, 664n)))).toEqual([664n])
  expect(one(miner(1, 665n))).toEqual({ ok: false, lot: 0 })
})

test('a miner twice as fast may ask for half of the slowness more', () => {
  const fast = miner(1, 382n, { rate: 2n * FLOOR })
  expect(operatorsOf(one(fast, miner(2, 300n)))[0]).toBe(testAccount(1)) // 382 + 83 < 300 + 166
  expect(ratesOf(one(fast, miner(2, 300n)))).toEqual([383n])
  expect(operatorsOf(one({ ...fast, bid: 384n }, miner(2, 300n)))[0]).toBe(testAccount(2))
})

test.each([0n, 1n, FLOOR])('a rate of %d counts like the floor', (rate) => {
  expect(ratesOf(one(miner(1, 0n, { rate })))).toEqual([664n])
})

test('a second operator of the same owner neither sets the pay nor stands by', () => {
  const payout = testAccount(9)
  const assignment = one(miner(1, 100n, { payout }), miner(2, 110n, { payout }), miner(3, 500n))
  expect(operatorsOf(assignment)).toEqual([testAccount(1), testAccount(3)])
  expect(ratesOf(assignment)).toEqual([500n])
})

test('an owner stands with its fastest operator, though another one asks for less', () => {
  const payout = testAccount(9)
  const assignment = one(miner(1, 100n, { payout }), miner(2, 300n, { payout, rate: 2n * FLOOR }), miner(3, 500n))
  expect(operatorsOf(assignment)).toEqual([testAccount(2), testAccount(3)])
})

test('an owner is in one lot only, and one owner cannot serve two', () => {
  const lot = (...candidates: Candidate[]) => ({ units: UNITS, candidates })
  const [a, b] = [miner(1, 100n), miner(2, 200n)]
  const both = assign([lot(a, b), lot(a, b)], CONTEXT)
  expect(new Set(operatorsOf(both))).toEqual(new Set([a.operator, b.operator, undefined]))
  expect(assign([lot(a), lot(a)], CONTEXT)).toMatchObject({ ok: false })
  expect(assign([lot(a), lot({ ...b, payout: a.payout })], CONTEXT)).toMatchObject({ ok: false })
})

test('who can serve one lot only is not displaced by who can serve all', () => {
  const everywhere = [1, 2, 3].map((number) => miner(number, 10n))
  const lots = [0, 1, 2, 3].map((lot) => ({
    units: UNITS,
    candidates: [...everywhere, ...(lot === 2 ? [miner(4, 600n)] : [])],
  }))
  const assignment = assign(lots, CONTEXT)
  expect(assignment).toMatchObject({ ok: true, lots: [{}, {}, { operator: testAccount(4), rate: 664n }, {}] })
})

test('a lot with a lone owner has a standby among those that bid for others and did not win', () => {
  const lots = [
    { units: UNITS, candidates: [miner(1, 100n)] },
    { units: UNITS, candidates: [miner(2, 100n), miner(3, 200n), miner(4, 300n)] },
  ]
  const [lot0, lot1] = lots
  const shared = [{ ...lot0!, candidates: [...lot0!.candidates, ...lot1!.candidates] }, lot1!]
  const assignment = assign(shared, CONTEXT)
  expect(assignment.ok && assignment.lots.every(({ standby }) => standby !== undefined)).toBe(true)
})

test('every bid up to the floor counts as the floor: the faster wins, and both get the floor at least', () => {
  const context = { ...CONTEXT, parameters: { ...INITIAL_PARAMETERS, payFloor: 700n } } // 581 grains per CU
  const two = (...candidates: Candidate[]) => assign([{ units: UNITS, candidates }], context)
  const fast = miner(1, 581n, { rate: 2n * FLOOR })
  expect(operatorsOf(two(fast, miner(2, 0n)))).toEqual([testAccount(1), testAccount(2)])
  expect(ratesOf(two(fast, miner(2, 0n)))).toEqual([581n + 166n - 83n])
  expect(ratesOf(two(miner(1, 0n), miner(2, 0n)))).toEqual([581n])
  expect(ratesOf(two(miner(1, 0n), miner(2, 600n)))).toEqual([600n])
  expect(operatorsOf(two({ ...fast, bid: 665n }, miner(2, 0n)))[0]).toBe(testAccount(2))
})

test('with the shipped floor the slowest miner is still within the budget', () => {
  const context = { ...CONTEXT, parameters: INITIAL_PARAMETERS }
  expect(ratesOf(assign([{ units: UNITS, candidates: [miner(1, 0n, { rate: 0n })] }], context))).toEqual([664n])
  expect(ratesOf(assign([{ units: 7n, candidates: [miner(1, 664n, { rate: 0n })] }], context))).toEqual([664n])
})

test('where everything is free the fastest wins', () => {
  const free = { ...CONTEXT, price: 0n }
  const candidates = [miner(1, 0n), miner(2, 0n, { rate: 3n * FLOOR }), miner(3, 1n, { rate: 9n * FLOOR })]
  const assignment = assign([{ units: UNITS, candidates }], free)
  expect(operatorsOf(assignment)).toEqual([testAccount(2), testAccount(1)])
  expect(ratesOf(assignment)).toEqual([0n])
})

test('who wins among those alike hangs on the lease, and on nothing else', () => {
  const candidates = Array.from({ length: 8 }, (_, number) => miner(number, 100n))
  const dice = createDice(7n)
  const wins = new Map<string, number>()
  for (let lease = 0; lease < 400; lease++) {
    const context = { ...CONTEXT, leaseId: randomHash(dice) }
    const assignment = assign([{ units: UNITS, candidates }], context)
    const shuffled = candidates.toSorted(() => dice.below(2) - 0.5)
    expect(assign([{ units: UNITS, candidates: shuffled }], context)).toEqual(assignment)
    const [winner] = operatorsOf(assignment)
    wins.set(winner!, (wins.get(winner!) ?? 0) + 1)
  }
  expect(wins.size).toBe(8)
  expect(Math.min(...wins.values())).toBeGreaterThan(20)
})

test.each([false, true])('the order of candidates does not matter (pairs: %s)', (pairs) => {
  const dice = createDice(11n)
  for (let round = 0; round < 300; round++) {
    const options = { lotsMax: 4, operatorsMax: 12, runMax: 3, shared: true, pairs }
    const { lots, context } = randomInstance(dice, options)
    const shuffled = lots.map((lot) => ({ ...lot, candidates: lot.candidates.toSorted(() => dice.below(2) - 0.5) }))
    expect(assign(shuffled, context)).toEqual(assign(lots, context))
  }
})

test('without latencies the two auctions agree', () => {
  const dice = createDice(12n)
  for (let round = 0; round < 500; round++) {
    const options = { lotsMax: 5, operatorsMax: 60, runMax: 3, shared: true, pairs: false }
    const { lots, context } = randomInstance(dice, options)
    const parameters = { ...context.parameters, auctionPairs: 1n }
    expect(assign(lots, { ...context, parameters })).toEqual(assign(lots, context))
  }
})

test('seventeen lots with 1,024 candidates each, at the largest price and the most work, are assigned', () => {
  const units = 2n ** 64n
  const price = 10n ** 12n
  const candidates = Array.from({ length: 1_024 }, (_, number) => miner(number, BigInt(number) * 10n ** 8n))
  const lots = Array.from({ length: 17 }, () => ({ units, candidates }))
  const assignment = assign(lots, { ...CONTEXT, price })
  expect(assignment.ok && new Set(operatorsOf(assignment)).size).toBe(34)
  for (const rate of ratesOf(assignment)) expect(rate <= (price * 830n) / 1_000n).toBe(true)
})
