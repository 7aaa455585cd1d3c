import fc from 'fast-check'
import { expect, test } from 'vitest'
import { costOf, countersOf, priceMaxOf, usualCap } from '../../../../src/app/market/client-cap.ts'
import type { SegmentWork } from '../../../../src/core/market/work.ts'

const PART: SegmentWork = { linear: 2_000_000n, attention: 500_000n }

test('an answer costs its prompt once and each of its tokens by the weight of decoding', () => {
  const tariff = { parts: [PART], price: 10n, decodeWeight: 4n }
  expect(countersOf({ promptRows: 3, decodeRows: 2 })).toEqual({
    ...{ promptRows: 3n, promptPositions: 3n, decodeRows: 2n, decodePositions: 7n },
  })
  // 2 · (3 + 8) + 0.5 · (3 + 28) = 37.5 units
  expect(costOf(tariff, { promptRows: 3, decodeRows: 2 })).toBe(380n)
  expect(costOf(tariff, { promptRows: 0, decodeRows: 0 })).toBe(0n)
})

test('what segments cost one by one is at least what they cost in lots', () => {
  const anyPart = fc.record({ linear: fc.bigInt(0n, 2n ** 40n), attention: fc.bigInt(0n, 2n ** 20n) })
  fc.assert(
    fc.property(
      fc.array(anyPart, { minLength: 1, maxLength: 8 }),
      fc.nat(500),
      fc.nat(500),
      (parts, promptRows, decodeRows) => {
        const sum = parts.reduce((a, b) => ({ linear: a.linear + b.linear, attention: a.attention + b.attention }))
        const [need, rest] = [
          { promptRows, decodeRows },
          { price: 7n, decodeWeight: 4n },
        ]
        expect(costOf({ parts, ...rest }, need)).toBeGreaterThanOrEqual(costOf({ parts: [sum], ...rest }, need))
      },
    ),
  )
})

test.each([
  [0n, 0n],
  [1n, 2n],
  [4n, 5n],
  [12n, 15n],
  [13n, 17n],
])('at a price of %d up to %d is paid', (price, most) => {
  expect(priceMaxOf(price)).toBe(most)
})

test.each<[what: string, given: { cost: bigint; needed: bigint; balance: bigint }, cap: bigint]>([
  ['twenty answers, with plenty of money', { cost: 100n, needed: 125n, balance: 10n ** 9n }, 2_000n],
  ['a tenth of the balance, with less', { cost: 100n, needed: 125n, balance: 10_000n }, 1_000n],
  ['what this answer needs, with little', { cost: 100n, needed: 125n, balance: 300n }, 125n],
  ['what this answer needs, whoever has it', { cost: 100n, needed: 125n, balance: 0n }, 125n],
  ['nothing where work costs nothing', { cost: 0n, needed: 0n, balance: 500n }, 0n],
])('set aside is %s', (_what, given, cap) => {
  expect(usualCap(given)).toBe(cap)
})
