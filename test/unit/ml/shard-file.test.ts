import { describe, expect, test } from 'vitest'
import { matrixFromParts, type TensorLayout } from '../../../src/ml/shard-file.ts'

/** One row of 32 weights; parts are read by their place. */
const layout = {
  plan: { name: 'layers.0.up', kind: 'matrix', rows: 1, columns: 32 },
  parts: [0, 1, 2].map((offset) => ({ part: 'values', offset, bytes: 0, bytesPerRow: 0 })),
} as unknown as TensorLayout
const values = (value: number) => Int8Array.from({ length: 32 }, () => value).buffer
const nibbles = new Uint8Array(16).fill(0x88).buffer
const multiplier = (value: number) => Uint8Array.of(value).buffer
const scale = (value: number) => Float32Array.of(value).buffer
const q8 = (...parts: ArrayBuffer[]) => matrixFromParts(layout, 'q8', ({ offset }) => parts[offset]!)
const q4 = (...parts: ArrayBuffer[]) => matrixFromParts(layout, 'q4', ({ offset }) => parts[offset]!)

describe('numbers that the specification does not have are refused', () => {
  test.each([
    ['a negative scale', () => q8(values(1), scale(-0.01))],
    ['a scale of minus zero', () => q8(values(1), scale(-0))],
    ['an infinite scale', () => q8(values(1), scale(Number.POSITIVE_INFINITY))],
    ['a scale that is no number', () => q4(nibbles, multiplier(1), scale(Number.NaN))],
    ['a weight of −128', () => q8(values(-128), scale(1))],
    ['a multiplier of 0', () => q4(nibbles, multiplier(0), scale(1))],
    ['a multiplier of 64', () => q4(nibbles, multiplier(64), scale(1))],
  ])('%s', (_what, read) => {
    expect(read).toThrow(expect.objectContaining({ code: 'MODEL_BAD_SHARD' }))
  })

  test('and those at the edge are taken', () => {
    const largest = 3.4028234663852886e38
    expect(q8(values(-127), scale(largest)).rows).toBe(1)
    expect(q4(nibbles, multiplier(63), scale(0)).rows).toBe(1)
  })
})
