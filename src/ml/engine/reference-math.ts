/**
 * Row operations of the reference engine, one function per paragraph of the specification, as plain loops.
 * Slow and obvious: the fast engines are proven equal to these.
 * Spec: docs/spec/numerics.md §2–§6.
 * @module
 */
import { GROUP_SIZE, paddedColumns } from '../config.ts'
import { expF32, roundToEven, tanhF32 } from '../exact-math.ts'
import type { Matrix } from '../tensors.ts'
import { EngineError } from './engine.ts'

const f32 = Math.fround

/** Half-open range of an array. */
export interface Slice {
  readonly values: Float32Array
  readonly start: number
}

/** One set of lanes for all sums: each is finished before the next begins. */
const LANES = new Float32Array(16)

function zeroLanes(): Float32Array {
  for (let index = 0; index < 16; index++) LANES[index] = 0
  return LANES
}

/** §2: the tree over sixteen lanes. */
function lanesTree(lanes: Float32Array): number {
  for (let width = 8; width >= 1; width /= 2) {
    for (let index = 0; index < width; index++) lanes[index] = lanes[index]! + lanes[index + width]!
  }
  return lanes[0]!
}

/** §2: Σ x[k]·y[k] of `length` elements in the fixed order. */
export function dot16(x: Slice, y: Slice, length: number): number {
  const lanes = zeroLanes()
  const { values: a, start: aStart } = x
  const { values: b, start: bStart } = y
  for (let k = 0; k < length; k++) lanes[k & 15] = lanes[k & 15]! + f32(a[aStart + k]! * b[bStart + k]!)
  return lanesTree(lanes)
}

/** §2: Σ x[k] in the fixed order. */
export function sum16(x: Float32Array): number {
  const lanes = zeroLanes()
  for (let k = 0; k < x.length; k++) lanes[k & 15] = lanes[k & 15]! + x[k]!
  return lanesTree(lanes)
}

function requireFinite(value: number, where: string): void {
  if (!Number.isFinite(value)) throw notFinite(where)
}

/** §1: the error of a step that met a NaN or an infinity. */
export function notFinite(where: string): EngineError {
  return new EngineError(
    'ENGINE_NOT_FINITE',
    `A value became infinite or not a number in ${where}; the input or the weights are damaged.`,
    { details: { where } },
  )
}

/** §1: refuses rows that hold a NaN or an infinity. */
export function requireFiniteRow(row: Float32Array, where: string): void {
  for (const value of row) requireFinite(value, where)
}

/** §6.1: RMS norm of a row with gain, both (n). */
export function norm(row: Float32Array, gain: Float32Array, epsilon: number): Float32Array {
  const slice = { values: row, start: 0 }
  const squares = dot16(slice, slice, row.length)
  requireFinite(squares, 'a norm')
  const mean = f32(squares / f32(row.length))
  const scale = f32(1 / f32(Math.sqrt(f32(mean + f32(epsilon)))))
  return row.map((value, index) => f32(f32(value * scale) * gain[index]!))
}

/** §4: a row as integers X[k] = mantissa·2^exponent, (K), and their scale. */
export function quantizeRow(row: Float32Array): { integers: Int32Array; scale: number } {
  const integers = new Int32Array(paddedColumns(row.length))
  let largest = 0
  for (const value of row) largest = Math.max(largest, Math.abs(value))
  requireFinite(largest, 'the input of a matrix product')
  if (largest < 2 ** -100) return { integers, scale: 0 }
  const inverse = f32(16_256 / largest)
  for (let group = 0; group < row.length; group += GROUP_SIZE) quantizeGroup(row, group, inverse, integers)
  return { integers, scale: f32(largest / 16_256) }
}

function quantizeGroup(row: Float32Array, start: number, inverse: number, integers: Int32Array): void {
  const end = Math.min(start + GROUP_SIZE, row.length)
  let largest = 0
  for (let k = start; k < end; k++) largest = Math.max(largest, Math.abs(row[k]!))
  const limit = f32(largest * inverse)
  let exponent = 0
  while (exponent < 7 && limit > 127 * 2 ** exponent) exponent++
  for (let k = start; k < end; k++) {
    const rounded = roundToEven(f32(f32(row[k]! * inverse) * 2 ** -exponent))
    integers[k] = Math.min(Math.max(rounded, -127), 127) * 2 ** exponent
  }
}

/** A matrix ready for exact products: integer weights (value · multiplier) in one array, or f32. */
export type ReferenceMatrix =
  | { readonly type: 'float'; readonly rows: number; readonly columns: number; readonly values: Float32Array }
  | {
      readonly type: 'integer'
      readonly rows: number
      readonly columns: number
      readonly values: Int16Array // (rows, K)
      readonly scales: Float32Array // (rows)
    }

/** §3: the integer weights of a q8 or q4 matrix. */
export function prepareMatrix(matrix: Matrix): ReferenceMatrix {
  const { rows, columns } = matrix
  if (matrix.format === 'f32') return { type: 'float', rows, columns, values: matrix.values }
  const values =
    matrix.format === 'q8'
      ? Int16Array.from(matrix.values)
      : unpackQ4(matrix.nibbles, matrix.multipliers, rows * paddedColumns(columns))
  return { type: 'integer', rows, columns, values, scales: matrix.scales }
}

/** (rows, K/32, 16) nibbles and (rows, K/32) multipliers to (rows, K) integers value·multiplier. */
function unpackQ4(nibbles: Uint8Array, multipliers: Uint8Array, count: number): Int16Array {
  const values = new Int16Array(count)
  for (let group = 0; group < multipliers.length; group++) {
    for (let index = 0; index < 16; index++) {
      const byte = nibbles[group * 16 + index]!
      const at = group * GROUP_SIZE + index
      values[at] = ((byte & 15) - 8) * multipliers[group]!
      values[at + 16] = ((byte >> 4) - 8) * multipliers[group]!
    }
  }
  return values
}

/** §5: y = W·x; x is (columns), y is (rows). */
export function matrixProduct(matrix: ReferenceMatrix, row: Float32Array): Float32Array {
  const output = new Float32Array(matrix.rows)
  if (matrix.type === 'float') {
    const x = { values: row, start: 0 }
    for (let r = 0; r < matrix.rows; r++) {
      output[r] = dot16({ values: matrix.values, start: r * matrix.columns }, x, matrix.columns)
    }
    return output
  }
  const { integers, scale } = quantizeRow(row)
  const { values, scales } = matrix
  const width = integers.length
  for (let r = 0; r < matrix.rows; r++) {
    let sum = 0 // exact: |sum| < 2^53 (§5)
    for (let k = 0; k < width; k++) sum += values[r * width + k]! * integers[k]!
    output[r] = sum * scales[r]! * scale
  }
  return output
}

/** §3: row `token` of an embedding matrix, (columns). */
export function embeddingRow(matrix: ReferenceMatrix, token: number): Float32Array {
  if (matrix.type === 'float') return matrix.values.slice(token * matrix.columns, (token + 1) * matrix.columns)
  const width = paddedColumns(matrix.columns)
  const row = new Float32Array(matrix.columns)
  for (let k = 0; k < row.length; k++) row[k] = f32(matrix.values[token * width + k]! * matrix.scales[token]!)
  return row
}

/** §6.4: rotates these elements of a head in place; `cos` and `sin` are the tables' row of this position, (rotated / 2). */
export function rotate(head: Float32Array, cos: Float32Array, sin: Float32Array): void {
  const half = head.length / 2
  for (let index = 0; index < half; index++) {
    const low = head[index]!
    const high = head[index + half]!
    head[index] = f32(low * cos[index]!) - f32(high * sin[index]!)
    head[index + half] = f32(high * cos[index]!) + f32(low * sin[index]!)
  }
}

/** Keys or values of one layer: positions × (V·h), position after position. */
export interface AttentionInput {
  readonly query: Float32Array // (h)
  readonly keys: Float32Array // (positions, stride)
  readonly values: Float32Array // (positions, stride)
  readonly stride: number
  /** Offset of this head inside a position. */
  readonly offset: number
  readonly firstPosition: number
  readonly lastPosition: number
  readonly factor: number // f32
  /** f32; 0: none. */
  readonly cap: number
}

/** §6.6: one head's attention over positions firstPosition … lastPosition, (h). */
export function attendHead(input: AttentionInput): Float32Array {
  const { query, keys, values, stride, offset, firstPosition, lastPosition, factor } = input
  const size = query.length
  const count = lastPosition - firstPosition + 1
  const scores = new Float32Array(count)
  let largest = Number.NEGATIVE_INFINITY
  for (let index = 0; index < count; index++) {
    const start = (firstPosition + index) * stride + offset
    const product = f32(dot16({ values: query, start: 0 }, { values: keys, start }, size) * factor)
    requireFinite(product, 'attention')
    const score = capped(product, input.cap)
    if (score > largest) largest = score
    scores[index] = score
  }
  const weights = new Float32Array(count)
  for (let index = 0; index < count; index++) weights[index] = expF32(f32(scores[index]! - largest))
  const total = sum16(weights)
  const output = new Float32Array(size)
  for (let index = 0; index < count; index++) {
    const start = (firstPosition + index) * stride + offset
    for (let i = 0; i < size; i++) output[i] = output[i]! + f32(weights[index]! * values[start + i]!)
  }
  return output.map((value) => f32(value / total))
}

/** §6.9: a finite value held between −cap and cap; a cap of 0 is none. */
export function capped(value: number, cap: number): number {
  return cap === 0 ? value : f32(tanhF32(f32(value / cap)) * cap)
}

/** §6.8: silu(gate)·up or gelu(gate)·up, (n). */
export function gated(gate: Float32Array, up: Float32Array, kind: 'silu' | 'gelu'): Float32Array {
  const activation = kind === 'silu' ? silu : gelu
  return gate.map((x, index) => f32(activation(x) * up[index]!))
}

function silu(x: number): number {
  return f32(x / f32(1 + expF32(-x)))
}

const GELU_CUBE = f32(0.044715)
/** 2·√(2/π) */
const GELU_FACTOR = f32(1.5957691216057308)

/** With tanh in place of the error function: ½(1 + tanh(t/2)) is 1 ÷ (1 + exp(−t)). */
function gelu(x: number): number {
  const t = f32(f32(f32(f32(f32(x * x) * GELU_CUBE) + 1) * x) * GELU_FACTOR)
  return f32(x / f32(1 + expF32(-t)))
}

/** Element-wise sum, one rounding each. */
export function addRows(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, index) => f32(value + b[index]!))
}
