import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { philox4x32, uniformAt } from '../../../src/base/prng.ts'

describe('Philox4x32-10', () => {
  // Random123, tests/kat_vectors: counter, key, result.
  test.each([
    ['zeros', [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [
      'ones',
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      'digits of pi',
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)('gives the published answer for %s', (_, counter, key, expected) => {
    expect(philox4x32([...counter], key)).toEqual(expected)
  })
})

describe('uniformAt', () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

  test('is in [0, 1), has at most 53 bits, and depends on seed and counter only', () => {
    fc.assert(
      fc.property(u64, u64, (seed, counter) => {
        const value = uniformAt(seed, counter)
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThan(1)
        expect(Number.isInteger(value * 2 ** 53)).toBe(true)
        expect(uniformAt(seed, counter)).toBe(value)
      }),
    )
  })

  test('uses all 64 bits of seed and counter', () => {
    const values = new Set([uniformAt(0n, 0n)])
    for (let bit = 0n; bit < 64n; bit++) {
      values.add(uniformAt(1n << bit, 0n))
      values.add(uniformAt(0n, 1n << bit))
    }
    expect(values.size).toBe(129)
  })

  test('takes its 53 bits from the first two words of the block', () => {
    // The block of zeros above: (0x6627e8d5 >>> 5) · 2^26 + (0xe169c58d >>> 6), over 2^53.
    expect(uniformAt(0n, 0n)).toBe((0x3313f46 * 2 ** 26 + 0x385a716) / 2 ** 53)
  })
})
