/** Weights as f32: each is what the reference engine makes of it, in both layouts. @module */
import { expect, test } from 'vitest'
import { dequantizeRows, dequantizeTransposed } from '../../../src/ml/dequantize.ts'
import { embeddingRow, prepareMatrix } from '../../../src/ml/engine/reference-math.ts'
import { bits, FORMATS } from '../../contract/engine-case.ts'
import { generator, randomMatrix } from '../../contract/random-model.ts'

const SHAPES = [
  [1, 1],
  [3, 32],
  [5, 33],
  [4, 75],
] as const
const TABLE = FORMATS.flatMap((format) => SHAPES.map(([rows, columns]) => ({ format, rows, columns })))

test.each(TABLE)('$rows × $columns in $format', ({ format, rows, columns }) => {
  const matrix = randomMatrix({ rows, columns }, { format }, generator(rows + columns))
  const expected = Array.from({ length: rows }, (_unused, row) => embeddingRow(prepareMatrix(matrix), row))
  const found = dequantizeRows(matrix)
  for (const [row, values] of expected.entries()) {
    expect(bits(found.slice(row * columns, (row + 1) * columns))).toEqual(bits(values))
  }
  const transposed = dequantizeTransposed(matrix)
  expect(transposed.length).toBe(rows * columns)
  expect(transposed.every((value, at) => value === expected[at % rows]![Math.floor(at / rows)])).toBe(true)
  const part = dequantizeTransposed(matrix, rows - 1, rows)
  expect(bits(part)).toEqual(bits(expected[rows - 1]!))
})
