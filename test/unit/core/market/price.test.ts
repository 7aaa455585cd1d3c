/** Prices and the parts of a charge. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bidWithin,
  budgetOf,
  nextPrice,
  type PlacementUse,
  splitCharge,
  utilisation,
} from '../../../../src/core/market/price.ts'
import { INITIAL_PARAMETERS, type Parameters } from '../../../../src/core/parameters.ts'

const U64_MAX = 2n ** 64n - 1n
const use = (used: number, slots: number) => ({ used, slots })

test.each([
  ['half of the slots in use', 1_000n, use(5, 10), 1_000n],
  ['all in use: an eighth up', 1_000n, use(10, 10), 1_125n],
  ['none in use: an eighth down', 1_000n, use(0, 10), 875n],
  ['a quarter above the target', 1_000n, use(625, 1_000), 1_031n],
  ['a quarter below the target', 1_000n, use(375, 1_000), 969n],
  ['more in use than there are slots now', 1_000n, use(30, 10), 1_125n],
  ['a small price above the target: a grain', 3n, use(6, 10), 4n],
  ['a small price below the target: a grain', 3n, use(4, 10), 2n],
  ['a price of 1 below the target: not nothing', 1n, use(0, 10), 1n],
  ['a price of nothing, all in use', 0n, use(10, 10), 0n],
  ['a segment without slots', 77n, undefined, 77n],
  ['the ceiling', 10n ** 9n, use(10, 10), 10n ** 9n],
])('with %s a price of %d becomes what the rule says', (_case, price, utilised, next) => {
  expect(nextPrice(price, utilised, INITIAL_PARAMETERS)).toBe(next)
})

test.each([
  ['a floor lifts a price of nothing', 0n, use(0, 10), 50n],
  ['a price does not fall through the floor', 52n, use(0, 10), 50n],
  ['a floor that a vote raised lifts a price at once, even without slots', 10n, undefined, 50n],
])('%s', (_case, price, utilised, next) => {
  expect(nextPrice(price, utilised, { ...INITIAL_PARAMETERS, priceMin: 50n })).toBe(next)
})

test('prices stay within their bounds and move towards the target, for any use and any allowed parameters', () => {
  const anyCase = fc.record({
    price: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    slots: fc.integer({ min: 1, max: 2 ** 26 }),
    used: fc.nat(2 ** 26),
    bounds: fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 0n, max: 10n ** 12n })),
    priceDivisor: fc.bigInt({ min: 4n, max: 1_000n }),
  })
  fc.assert(
    fc.property(anyCase, ({ price, slots, used, bounds: [a, b], priceDivisor }) => {
      const [priceMin, priceMax] = a < b ? [a, b] : [b, a]
      const parameters: Parameters = { ...INITIAL_PARAMETERS, priceMin, priceMax, priceDivisor }
      const next = nextPrice(price, { used, slots }, parameters)
      expect(next >= priceMin && next <= priceMax).toBe(true)
      if (price < priceMin || price > priceMax || price === 0n) return
      if (2 * used > slots) expect(next >= price).toBe(true)
      if (2 * used < slots) expect(next <= price).toBe(true)
      const most = price / priceDivisor > 1n ? price / priceDivisor : 1n
      expect(next - price <= most && price - next <= most).toBe(true)
    }),
  )
})

test('the scarcest segment counts, the lower one of two alike, and a segment without slots stops the price', () => {
  const whole = { first: 0, end: 4, slots: 2, used: 1, bid: 5n }
  const usedOf = (...placements: PlacementUse[]) => utilisation(placements, 4, 10n)
  expect(usedOf(whole, { ...whole, first: 1, end: 3, used: 2 })).toEqual(use(3, 4))
  expect(usedOf(whole, { ...whole, first: 1, end: 3 })).toEqual(use(1, 2))
  expect(usedOf({ ...whole, end: 3 })).toBeUndefined()
  expect(usedOf({ ...whole, slots: 0 })).toBeUndefined()
  expect(usedOf()).toBeUndefined()
})

test('slots that ask for more than there is count only while they are used, so that a price that is too low rises', () => {
  const dear = { first: 0, end: 4, slots: 6, used: 0, bid: 11n }
  expect(utilisation([{ ...dear, bid: 10n }], 4, 10n)).toEqual(use(0, 6))
  expect(utilisation([dear], 4, 10n)).toEqual(use(1, 1))
  expect(utilisation([{ ...dear, used: 2 }], 4, 10n)).toEqual(use(2, 2))
  expect(
    utilisation(
      [
        { ...dear, used: 2 },
        { ...dear, bid: 10n },
      ],
      4,
      10n,
    ),
  ).toEqual(use(2, 8))
  // At a price of 1,000 a fifth of the budget may go to slowness.
  expect(bidWithin(1_000n, INITIAL_PARAMETERS)).toBe(664n)
})

test('a hundred of a thousand grains go to the treasury, seventy to stakers, and miners can get the rest', () => {
  expect(splitCharge(1_009n, INITIAL_PARAMETERS)).toEqual({ treasury: 100n, stakers: 70n })
  expect(budgetOf(10n, 100n, INITIAL_PARAMETERS)).toBe(830n)
  expect(splitCharge(0n, INITIAL_PARAMETERS)).toEqual({ treasury: 0n, stakers: 0n })
})

test('treasury, stakers and rates within the budgets are never more than the charge', () => {
  const anyCase = fc.record({
    price: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    /** Units of each lot, nominal and in the end. */
    lots: fc.array(fc.tuple(fc.bigInt({ min: 1n, max: U64_MAX }), fc.bigInt({ min: 0n, max: U64_MAX })), {
      minLength: 1,
    }),
    treasuryShare: fc.bigInt({ min: 0n, max: 250n }),
    stakerShare: fc.bigInt({ min: 0n, max: 250n }),
  })
  fc.assert(
    fc.property(anyCase, ({ price, lots, treasuryShare, stakerShare }) => {
      const parameters = { ...INITIAL_PARAMETERS, treasuryShare, stakerShare }
      const charge = lots.reduce((sum, [, units]) => sum + price * units, 0n)
      const { treasury, stakers } = splitCharge(charge, parameters)
      // The highest rate that an auction over the nominal work can give.
      const pays = lots.map(([nominal, units]) => (budgetOf(nominal, price, parameters) / nominal) * units)
      expect(treasury + stakers + pays.reduce((sum, pay) => sum + pay, 0n) <= charge).toBe(true)
    }),
  )
})
