/** How sure audits are, by exact fractions, against counting and against the numbers that the spec states. */
import { describe, expect, test } from 'vitest'
import {
  type Fraction,
  LIARS,
  oddsOfAtLeast,
  oddsOfCatching,
  oddsOfFalseFault,
  SEATS_FOR_MAJORITY,
} from '../../../../src/core/market/audit-odds.ts'

const decimal = ({ numerator, denominator }: Fraction): number => Number((numerator * 10n ** 15n) / denominator) / 1e15
const part = (numerator: bigint, denominator: bigint): Fraction => ({ numerator, denominator })

test('odds are those of counting all outcomes', () => {
  for (const least of [0, 1, 3, 5, 6]) {
    let hits = 0
    for (let outcome = 0; outcome < 3 ** 5; outcome++) {
      const digits = outcome.toString(3).padStart(5, '0')
      if ([...digits].filter((digit) => digit === '0').length >= least) hits++
    }
    expect(oddsOfAtLeast(BigInt(least), 5n, LIARS)).toEqual(part(BigInt(hits), 243n))
  }
})

describe('a false fault', () => {
  test('needs 39 of 64 seats', () => {
    expect(SEATS_FOR_MAJORITY).toBe(39n)
  })

  test.each([
    [1n, 3n, 5.7e-6],
    [3n, 10n, 3e-7],
    [1n, 4n, 1.3e-9],
  ])('with %i/%i of liars is below %f', (numerator, denominator, bound) => {
    expect(decimal(oddsOfFalseFault(part(numerator, denominator)))).toBeLessThan(bound)
  })

  test('is rarer than five liars in a first committee by a factor of 700', () => {
    const alone = (1 / 3) ** 5
    expect(alone / decimal(oddsOfFalseFault(LIARS))).toBeGreaterThan(700)
  })
})

describe('a cheat', () => {
  test.each([
    [5n, 3n, 0.858],
    [4n, 3n, 0.837],
    [3n, 3n, 0.746],
    [1n, 1n, 0.48],
  ])(
    'is caught by %i auditors of whom %i must speak with probability %f at a third of liars',
    (auditors, auditorsMin, expected) => {
      expect(decimal(oddsOfCatching({ auditors, auditorsMin }))).toBeCloseTo(expected, 3)
    },
  )

  test('is caught for sure when nobody lies, and never when all do', () => {
    const sizes = { auditors: 5n, auditorsMin: 3n }
    expect(decimal(oddsOfCatching(sizes, part(0n, 1n)))).toBe(1)
    expect(decimal(oddsOfCatching(sizes, part(1n, 1n)))).toBe(0)
  })
})
