/**
 * Weights of any format as f32, one rounding each: what float engines and training compute with.
 * Spec: docs/spec/numerics.md §3, docs/spec/float.md §1.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import { GROUP_SIZE, paddedColumns } from './config.ts'
import type { Matrix } from './tensors.ts'

const HALF = GROUP_SIZE / 2

/** Row `row` of a matrix, (columns), written to `out` from `at` on, `stride` apart. */
export function dequantizeRow(
  matrix: Matrix,
  row: number,
  to: { out: Float32Array; at: number; stride: number },
): void {
  const { columns } = matrix
  const { out, at, stride } = to
  switch (matrix.format) {
    case 'f32':
      for (let k = 0; k < columns; k++) out[at + k * stride] = matrix.values[row * columns + k]!
      return
    case 'q8': {
      const start = row * paddedColumns(columns)
      const scale = matrix.scales[row]!
      for (let k = 0; k < columns; k++) out[at + k * stride] = matrix.values[start + k]! * scale
      return
    }
    case 'q4': {
      const groups = paddedColumns(columns) / GROUP_SIZE
      const scale = matrix.scales[row]!
      for (let k = 0; k < columns; k++) {
        const group = row * groups + Math.floor(k / GROUP_SIZE)
        const within = k % GROUP_SIZE
        const byte = matrix.nibbles[group * HALF + (within % HALF)]!
        const value = (within < HALF ? byte & 15 : byte >> 4) - 8
        out[at + k * stride] = value * matrix.multipliers[group]! * scale
      }
      return
    }
    default:
      unreachable(matrix)
  }
}

/** Rows [first, last) as f32, (rows, columns). */
export function dequantizeRows(matrix: Matrix, first = 0, last: number = matrix.rows): Float32Array<ArrayBuffer> {
  const out = new Float32Array((last - first) * matrix.columns)
  for (let row = first; row < last; row++) {
    dequantizeRow(matrix, row, { out, at: (row - first) * matrix.columns, stride: 1 })
  }
  return out
}

/** Rows [first, last) as f32, transposed: (columns, rows), the fan-in first. */
export function dequantizeTransposed(matrix: Matrix, first = 0, last: number = matrix.rows): Float32Array<ArrayBuffer> {
  const rows = last - first
  const out = new Float32Array(rows * matrix.columns)
  for (let row = first; row < last; row++) dequantizeRow(matrix, row, { out, at: row - first, stride: rows })
  return out
}
