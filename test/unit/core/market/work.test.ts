/** Work, counters, averages: exact numbers. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Reader, Writer } from '../../../../src/base/codec.ts'
import {
  type Counters,
  readCounters,
  recede,
  writeCounters,
  ZERO_COUNTERS,
} from '../../../../src/core/market/counters.ts'
import { averageRate, averageReliability } from '../../../../src/core/market/rate-average.ts'
import { macsOf, nominalCounters, unitsOf } from '../../../../src/core/market/work.ts'

const U64_MAX = 2n ** 64n - 1n
const anyU64 = fc.bigInt({ min: 0n, max: U64_MAX })
const anyCounters: fc.Arbitrary<Counters> = fc.record({
  ...{ promptRows: anyU64, promptPositions: anyU64, decodeRows: anyU64, decodePositions: anyU64 },
})
const NAMES = ['promptRows', 'promptPositions', 'decodeRows', 'decodePositions'] as const

test('a prompt of 3 rows and 2 decode steps after it count each its rows and positions, decoding four times', () => {
  const counters = { promptRows: 3n, promptPositions: 0n + 1n + 2n, decodeRows: 2n, decodePositions: 3n + 4n }
  const segments = [
    { linear: 1_000_000n, attention: 10n },
    { linear: 500_000n, attention: 5n },
  ]
  const macs = 1_500_000n * (3n + 4n * 2n) + 15n * (3n + 4n * 7n)
  expect(macsOf(segments, counters, 4n)).toBe(macs)
  expect(unitsOf(segments, counters, 4n)).toBe(17n) // 16,500,465 MACs, rounded up
  expect(unitsOf(segments, ZERO_COUNTERS, 4n)).toBe(0n)
})

test('units of the largest counters and segments are exact', () => {
  const most = { promptRows: U64_MAX, promptPositions: U64_MAX, decodeRows: U64_MAX, decodePositions: U64_MAX }
  const segments = Array.from({ length: 64 }, () => ({ linear: U64_MAX, attention: U64_MAX }))
  expect(macsOf(segments, most, 64n)).toBe(2n * 64n * U64_MAX * 65n * U64_MAX)
})

test('the work of two windows is at most a unit above the work of both', () => {
  fc.assert(
    fc.property(anyCounters, anyCounters, anyU64, (a, b, linear) => {
      const segments = [{ linear, attention: linear / 1_000n }]
      const sum = Object.fromEntries(NAMES.map((name) => [name, a[name] + b[name]])) as unknown as Counters
      const apart = unitsOf(segments, a, 4n) + unitsOf(segments, b, 4n)
      const together = unitsOf(segments, sum, 4n)
      expect(together <= apart && apart <= together + 1n).toBe(true)
    }),
  )
})

test('nominal work is rows of decoding from an empty cache', () => {
  expect(nominalCounters(10n)).toEqual({ ...ZERO_COUNTERS, decodeRows: 10n, decodePositions: 50n })
})

test('counters survive their encoding', () => {
  fc.assert(
    fc.property(anyCounters, (counters) => {
      const bytes = writeCounters(new Writer(), counters).finish()
      expect(bytes).toHaveLength(32)
      expect(readCounters(new Reader(bytes))).toEqual(counters)
    }),
  )
})

test.each(NAMES)('counters recede when %s is lower, whatever the others are', (name) => {
  const before = { promptRows: 5n, promptPositions: 5n, decodeRows: 5n, decodePositions: 5n }
  const more = { promptRows: 9n, promptPositions: 9n, decodeRows: 9n, decodePositions: 9n }
  expect(recede(before, { ...more, [name]: 4n })).toBe(true)
  expect(recede(before, { ...more, [name]: 5n })).toBe(false)
})

test('a rate of work moves by an eighth of the distance, starts with the first sample and stays within its bounds', () => {
  const sample = 1_000n << 16n // 500 CU in 500 ms
  expect(averageRate(0n, 500n, 500)).toBe(sample)
  expect(averageRate(sample * 9n, 500n, 500)).toBe(sample * 8n)
  expect(averageRate(0n, U64_MAX, 0)).toBe(2n ** 48n)
  expect(averageRate(1n, 0n, 1_000)).toBe(1n) // never back to "not measured"
})

test('reliability falls by an eighth with a fault and never leaves u16', () => {
  let reliability = 0xffff
  expect(averageReliability(reliability, false)).toBe(0xffff - 8_192)
  for (let fault = 0; fault < 200; fault++) reliability = averageReliability(reliability, false)
  expect(reliability).toBe(0)
  for (let pass = 0; pass < 200; pass++) reliability = averageReliability(reliability, true)
  expect(reliability).toBeGreaterThan(0xffff - 8)
  expect(reliability).toBeLessThanOrEqual(0xffff)
})
