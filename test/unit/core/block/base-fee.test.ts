/** The base fee against published examples and hand-made ones at its edges. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextBaseFee } from '../../../../src/core/block/base-fee.ts'

describe('the examples of go-ethereum (consensus/misc/eip1559, TestCalcBaseFee)', () => {
  test.each([
    ['at the target', 10_000_000, 1_000_000_000n],
    ['below it', 9_000_000, 987_500_000n],
    ['above it', 11_000_000, 1_012_500_000n],
  ])('%s', (_case, units, expected) => {
    expect(nextBaseFee({ baseFee: 1_000_000_000n, units, target: 10_000_000n, floor: 1n })).toBe(expected)
  })
})

describe('at the edges', () => {
  test.each([
    ['an empty block takes an eighth off', { baseFee: 800n, units: 0 }, 700n],
    ['twice the target adds an eighth', { baseFee: 800n, units: 60_000 }, 900n],
    ['a price too small to rise by an eighth rises by one grain', { baseFee: 1n, units: 30_001 }, 2n],
    ['a price too small to fall by an eighth stays', { baseFee: 7n, units: 0 }, 7n],
    ['the fall is rounded down', { baseFee: 17n, units: 0 }, 15n],
    ['the rise is rounded down', { baseFee: 17n, units: 60_000 }, 19n],
    ['both divisions round down one after the other', { baseFee: 999n, units: 30_009 }, 1_000n],
    ['never under the floor', { baseFee: 100n, units: 0, floor: 95n }, 95n],
    ['a floor that a vote raised lifts it', { baseFee: 10n, units: 30_000, floor: 50n }, 50n],
  ])('%s', (_case, block, expected) => {
    expect(nextBaseFee({ target: 30_000n, floor: 1n, ...block })).toBe(expected)
  })

  test('rises exactly when the block is above the target, and by an eighth at most up to the double', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 60n), fc.integer({ min: 0, max: 60_000 }), (baseFee, units) => {
        const next = nextBaseFee({ baseFee, units, target: 30_000n, floor: 1n })
        expect(next > baseFee).toBe(units > 30_000)
        expect(next).toBeGreaterThanOrEqual(baseFee - baseFee / 8n)
        expect(next).toBeLessThanOrEqual(baseFee + (baseFee > 8n ? baseFee / 8n : 1n))
      }),
    )
  })
})
