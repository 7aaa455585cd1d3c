/**
 * Rows of f32 weights to f32, q8 or q4 matrices. Deterministic: f64 arithmetic of + − × ÷ and comparisons in
 * index order, so that two imports of one model are the same bytes. Knows no files and no models.
 * Spec: docs/spec/numerics.md §3, docs/spec/model.md §5.
 * @module
 */
import { assert, unreachable } from '../base/assert.ts'
import { GROUP_SIZE, paddedColumns, type WeightFormat } from './config.ts'
import type { Matrix } from './tensors.ts'

const Q8_MAX = 127
const MULTIPLIER_MAX = 63
const NIBBLE_BYTES = GROUP_SIZE / 2
/** The lowest multiplier that is tried, as a share of the one that clips nothing. */
const SEARCH_FLOOR = 0.55
/**
 * Steps from the highest multiplier to the lowest. Trying each of them, or refitting more often, makes the squared
 * error of weights 1 % less and changes the perplexity of genesis by less than other choices do by chance.
 */
const SEARCH_STEPS = 8
/** Scale refits after the first search. */
const REFITS = 1
/** Adding and subtracting 1.5·2^52 rounds a small f64 to the nearest integer, ties to even. */
const ROUNDER = 6_755_399_441_055_744

/** Rows (n, columns) of finite values in the wanted format; n is `values.length / columns`. */
export function quantizeRows(format: WeightFormat, values: Float32Array, columns: number): Matrix {
  const rows = values.length / columns
  assert(Number.isInteger(rows), 'a block is whole rows')
  switch (format) {
    case 'f32':
      return { format, rows, columns, values }
    case 'q8':
      return quantizeQ8(values, rows, columns)
    case 'q4':
      return quantizeQ4(values, rows, columns)
    default:
      return unreachable(format)
  }
}

function quantizeQ8(weights: Float32Array, rows: number, columns: number): Matrix {
  const padded = paddedColumns(columns)
  const values = new Int8Array(rows * padded)
  const scales = new Float32Array(rows)
  for (let row = 0; row < rows; row++) {
    const start = row * columns
    let largest = 0
    for (let k = 0; k < columns; k++) largest = Math.max(largest, Math.abs(weights[start + k]!))
    const scale = Math.fround(largest / Q8_MAX)
    scales[row] = scale
    // A scale that rounds to zero belongs to a row that f32 cannot tell from zeros.
    if (scale === 0) continue
    for (let k = 0; k < columns; k++) {
      values[row * padded + k] = clamp(round(weights[start + k]! / scale), -Q8_MAX, Q8_MAX)
    }
  }
  return { format: 'q8', rows, columns, values, scales }
}

function quantizeQ4(weights: Float32Array, rows: number, columns: number): Matrix {
  const padded = paddedColumns(columns)
  const groups = padded / GROUP_SIZE
  const nibbles = new Uint8Array((rows * padded) / 2)
  const multipliers = new Uint8Array(rows * groups)
  const scales = new Float32Array(rows)
  const row = new Float64Array(padded)
  for (let index = 0; index < rows; index++) {
    row.set(weights.subarray(index * columns, (index + 1) * columns)) // elements beyond stay zero
    const found = searchRow(row)
    scales[index] = found.scale
    multipliers.set(found.multipliers, index * groups)
    packRow(row, found, nibbles.subarray(index * groups * NIBBLE_BYTES, (index + 1) * groups * NIBBLE_BYTES))
  }
  return { format: 'q4', rows, columns, nibbles, multipliers, scales }
}

interface RowChoice {
  readonly scale: number
  readonly multipliers: Uint8Array // (groups)
  readonly error: number
}

/**
 * Scale and multipliers of one row with a small squared error: first the scale at which the widest group's
 * unclipped step is multiplier 63, then refits by least squares, each with a search of its own.
 */
function searchRow(row: Float64Array): RowChoice {
  const steps = unclippedSteps(row)
  let widest = 0
  for (const step of steps) widest = Math.max(widest, step)
  const first = Math.fround(widest / MULTIPLIER_MAX)
  if (first === 0) return { scale: 0, multipliers: new Uint8Array(steps.length).fill(1), error: 0 }
  let best = searchMultipliers(row, steps, first)
  for (let refit = 0; refit < REFITS; refit++) {
    const scale = refitScale(row, best)
    if (scale === 0 || scale === best.scale) break
    const next = searchMultipliers(row, steps, scale)
    if (next.error >= best.error) break
    best = next
  }
  return best
}

/** Smallest step of each group at which −8 … 7 reach its largest values on both sides. */
function unclippedSteps(row: Float64Array): Float64Array {
  const steps = new Float64Array(row.length / GROUP_SIZE)
  for (let group = 0; group < steps.length; group++) {
    let high = 0
    let low = 0
    for (let k = group * GROUP_SIZE; k < (group + 1) * GROUP_SIZE; k++) {
      if (row[k]! > high) high = row[k]!
      if (row[k]! < low) low = row[k]!
    }
    steps[group] = Math.max(high / 7, low / -8)
  }
  return steps
}

/** The multiplier of least squared error for each group; the largest of equals. */
function searchMultipliers(row: Float64Array, steps: Float64Array, scale: number): RowChoice {
  const multipliers = new Uint8Array(steps.length)
  let total = 0
  for (let group = 0; group < steps.length; group++) {
    const top = clamp(Math.ceil(steps[group]! / scale), 1, MULTIPLIER_MAX)
    const bottom = Math.max(1, Math.floor(top * SEARCH_FLOOR))
    const stride = Math.max(1, Math.ceil((top - bottom) / SEARCH_STEPS))
    let best = Number.POSITIVE_INFINITY
    for (let multiplier = top; multiplier >= bottom; multiplier -= stride) {
      const error = groupError(row, group * GROUP_SIZE, { step: multiplier * scale, bound: best })
      if (error < best) {
        best = error
        multipliers[group] = multiplier
      }
    }
    total += best
  }
  return { scale, multipliers, error: total }
}

/**
 * Squared error of 32 elements at one step, even and odd elements summed apart; stops half-way once it is over
 * `bound`. The innermost loop of an import: written out, because Math.min and Math.max cost half of its time.
 */
function groupError(row: Float64Array, start: number, { step, bound }: { step: number; bound: number }): number {
  const inverse = 1 / step
  let even = 0
  let odd = 0
  for (let half = start; half < start + GROUP_SIZE; half += NIBBLE_BYTES) {
    if (even + odd >= bound) break
    for (let k = half; k < half + NIBBLE_BYTES; k += 2) {
      const a = row[k]! - nibbleOf(row[k]! * inverse) * step
      const b = row[k + 1]! - nibbleOf(row[k + 1]! * inverse) * step
      even += a * a
      odd += b * b
    }
  }
  return even + odd
}

/** The scale that makes Σ (w − value·multiplier·scale)² least for the values found; rounded to f32. */
function refitScale(row: Float64Array, { scale, multipliers }: RowChoice): number {
  let product = 0
  let square = 0
  for (const [group, multiplier] of multipliers.entries()) {
    const inverse = 1 / (multiplier * scale)
    for (let k = group * GROUP_SIZE; k < (group + 1) * GROUP_SIZE; k++) {
      const integer = nibbleOf(row[k]! * inverse) * multiplier
      product += row[k]! * integer
      square += integer * integer
    }
  }
  return square === 0 ? scale : Math.fround(product / square)
}

/** Byte j of a group: element j low, element j+16 high, each stored as value + 8. */
function packRow(row: Float64Array, { scale, multipliers }: RowChoice, out: Uint8Array): void {
  for (let group = 0; group < multipliers.length; group++) {
    const inverse = scale === 0 ? 0 : 1 / (multipliers[group]! * scale)
    const start = group * GROUP_SIZE
    for (let j = 0; j < NIBBLE_BYTES; j++) {
      const low = nibbleOf(row[start + j]! * inverse) + 8
      const high = nibbleOf(row[start + j + NIBBLE_BYTES]! * inverse) + 8
      out[group * NIBBLE_BYTES + j] = low | (high << 4)
    }
  }
}

function nibbleOf(x: number): number {
  const rounded = x + ROUNDER - ROUNDER
  if (rounded < -8) return -8
  if (rounded > 7) return 7
  return rounded
}

function round(x: number): number {
  return x + ROUNDER - ROUNDER
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high)
}
