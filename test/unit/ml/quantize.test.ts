import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quantizeRows } from '../../../src/ml/quantize.ts'
import type { Matrix } from '../../../src/ml/tensors.ts'

/** Weights that the matrix stands for, (rows, padded columns). */
function weightsOf(matrix: Matrix): number[][] {
  return Array.from({ length: matrix.rows }, (_, row) => {
    if (matrix.format === 'f32') {
      return [...matrix.values.subarray(row * matrix.columns, (row + 1) * matrix.columns)]
    }
    const padded = Math.ceil(matrix.columns / 32) * 32
    return Array.from({ length: padded }, (_, k) => {
      if (matrix.format === 'q8') return matrix.values[row * padded + k]! * matrix.scales[row]!
      const group = (row * padded + k) >> 5
      const byte = matrix.nibbles[group * 16 + (k % 16)]!
      const value = (k % 32 < 16 ? byte & 15 : byte >> 4) - 8
      return value * matrix.multipliers[group]! * matrix.scales[row]!
    })
  })
}

/** A bell-shaped row without Math.random. */
function bell(length: number, seed = 1): Float32Array {
  let state = seed
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  return Float32Array.from({ length }, () => (uniform() + uniform() + uniform() + uniform()) * 0.1)
}

function relativeError(row: Float32Array, format: 'q8' | 'q4'): number {
  const found = weightsOf(quantizeRows(format, row, row.length))[0]!
  const error = row.reduce((sum, w, k) => sum + (w - found[k]!) ** 2, 0)
  return Math.sqrt(error / row.reduce((sum, w) => sum + w * w, 0))
}

describe('q8', () => {
  test('is the rule of the specification', () => {
    const matrix = quantizeRows('q8', Float32Array.of(127, -127, 0.5, 1.5, -2.5, 64), 6)
    expect(matrix).toMatchObject({ format: 'q8', rows: 1, columns: 6, scales: Float32Array.of(1) })
    expect([...(matrix as { values: Int8Array }).values.subarray(0, 7)]).toEqual([127, -127, 0, 2, -2, 64, 0])
  })

  test('is within half a step of every weight', () => {
    const rows = fc.array(fc.float({ noNaN: true, min: -8, max: 8 }), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(rows, (list) => {
        const row = Float32Array.from(list)
        const step = Math.fround(row.reduce((max, w) => Math.max(max, Math.abs(w)), 0) / 127)
        const found = weightsOf(quantizeRows('q8', row, row.length))[0]!
        for (const [k, w] of row.entries())
          expect(Math.abs(w - found[k]!)).toBeLessThanOrEqual(Math.max(step * 0.5001, 1e-40))
      }),
    )
  })

  test('loses less than one per cent of a bell-shaped row', () => {
    expect(relativeError(bell(1024), 'q8')).toBeLessThan(0.01)
  })
})

describe('q4', () => {
  test('loses less than nine per cent of a bell-shaped row', () => {
    expect(relativeError(bell(1024), 'q4')).toBeLessThan(0.09)
  })

  test('keeps integers of one group exactly, −8 included', () => {
    const row = Float32Array.from({ length: 32 }, (_, k) => (k % 16) - 8)
    expect(weightsOf(quantizeRows('q4', row, 32))[0]!.map((w) => Math.round(w * 1e5) / 1e5)).toEqual([...row])
  })

  test('gives groups of different size their own multipliers', () => {
    const row = bell(64)
    for (let k = 32; k < 64; k++) row[k]! *= 0.1
    const matrix = quantizeRows('q4', row, 64)
    const [large, small] = (matrix as { multipliers: Uint8Array }).multipliers
    expect(large! / small!).toBeGreaterThan(5)
    expect(relativeError(row.subarray(32).slice(), 'q4')).toBeLessThan(0.1)
  })

  test('stays within its ranges, whatever the weights', () => {
    const rows = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 70 })
    fc.assert(
      fc.property(rows, (list) => {
        const matrix = quantizeRows('q4', Float32Array.from(list), list.length)
        if (matrix.format !== 'q4') throw new Error('not q4')
        for (const multiplier of matrix.multipliers) expect(multiplier >= 1 && multiplier <= 63).toBe(true)
        for (const scale of matrix.scales) expect(scale >= 0 && Number.isFinite(scale)).toBe(true)
        const padding = weightsOf(matrix)[0]!.slice(list.length)
        expect(padding.every((w) => w === 0)).toBe(true)
      }),
    )
  })
})

test.each(['q8', 'q4'] as const)('%s keeps a row of zeros, with scale zero', (format) => {
  const matrix = quantizeRows(format, new Float32Array(40), 40)
  expect(matrix).toMatchObject({ scales: Float32Array.of(0) })
  expect(weightsOf(matrix)[0]!.every((w) => w === 0)).toBe(true)
})

test.each(['f32', 'q8', 'q4'] as const)('%s of a block is that of its rows, one by one', (format) => {
  const values = bell(5 * 48, 7)
  const whole = weightsOf(quantizeRows(format, values, 48))
  const single = [0, 1, 2, 3, 4].map(
    (row) => weightsOf(quantizeRows(format, values.slice(row * 48, (row + 1) * 48), 48))[0],
  )
  expect(whole).toEqual(single)
})
