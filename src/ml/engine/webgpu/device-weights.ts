/**
 * Weights of a stage in the memory of a device, in the bytes in which they are stored. A matrix that is larger than what a device lets a kernel see at once lies there in
 * parts of whole rows. Spec: docs/spec/numerics.md §3.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import { GROUP_SIZE, paddedColumns, type WeightFormat } from '../../config.ts'
import type { Matrix, WeightSource } from '../../tensors.ts'
import { type DeviceMemory, writeBytes } from './device-memory.ts'

/** Rows of a matrix that lie in one set of buffers. */
export interface MatrixPart {
  readonly first: number
  readonly rows: number
  readonly weights: GPUBuffer
  readonly scales: GPUBuffer | undefined
  readonly multipliers: GPUBuffer | undefined
}

export interface DeviceMatrix {
  readonly format: WeightFormat
  /** All outputs. */
  readonly rows: number
  readonly columns: number
  /** Of a row of weights: columns of f32, groups else. */
  readonly units: number
  readonly parts: readonly MatrixPart[]
  readonly bytes: number
}

export interface UploadOptions {
  readonly memory: DeviceMemory
  readonly source: WeightSource
  readonly bindingBytesMax: number
}

/** `stacked`: one below the other. `paired`: in each part, its rows of the first and then as many of the second. */
export type Arrangement = 'stacked' | 'paired'

/** §5 of numerics.md bounds sums for fan-ins up to this. */
const COLUMNS_MAX = 131_072
/** Workgroups in one direction that every device has, times the fewest rows that one makes. */
const PART_ROWS_MAX = 65_535 * 2

/** Copies matrices of one format and width to the device, one at a time. */
export function uploadMatrix(options: UploadOptions, names: readonly string[], arrangement: Arrangement): DeviceMatrix {
  const { memory, source, bindingBytesMax } = options
  const places = arrangement === 'paired' ? names.length : 1
  let drafts: PartDraft[] = []
  let shape: Matrix | undefined
  let above = 0
  const matrices = names.map((name) => source.matrix(name))
  const rows = arrangement === 'paired' ? matrices[0]!.rows : matrices.reduce((sum, matrix) => sum + matrix.rows, 0)
  for (const [index, matrix] of matrices.entries()) {
    if (shape === undefined) {
      shape = matrix
      drafts = draftParts({ memory, matrix, rows, places, bindingBytesMax })
    }
    assert(matrix.format === shape.format && matrix.columns === shape.columns, 'what is multiplied together is alike')
    for (const draft of drafts) {
      const first = Math.max(draft.first, above)
      const end = Math.min(draft.first + draft.rows, above + matrix.rows)
      const target = arrangement === 'paired' ? index * draft.rows : first - draft.first
      if (first < end) copyRows(memory.device, draft, { matrix, first: first - above, count: end - first, target })
    }
    if (arrangement === 'stacked') above += matrix.rows
  }
  assert(shape !== undefined, 'there is something to copy')
  const { format, columns } = shape
  const parts = drafts.map((draft) => finishPart(memory, draft))
  const bytes = drafts.reduce(
    (sum, draft) => sum + draft.weights.size + draft.scales.byteLength + draft.multipliers.byteLength,
    0,
  )
  return { format, rows, columns, units: unitsOf(shape), parts, bytes }
}

function unitsOf({ format, columns }: Matrix): number {
  return format === 'f32' ? columns : paddedColumns(columns) / GROUP_SIZE
}

interface PartDraft {
  readonly first: number
  readonly rows: number
  readonly weights: GPUBuffer
  /** Empty where the format has none. */
  readonly scales: Float32Array
  readonly multipliers: Uint8Array
}

function draftParts(options: {
  memory: DeviceMemory
  matrix: Matrix
  rows: number
  places: number
  bindingBytesMax: number
}): PartDraft[] {
  const { memory, matrix, rows, places, bindingBytesMax } = options
  assert(matrix.columns <= COLUMNS_MAX, 'sums stay within their bounds')
  const rowBytes = rowBytesOf(matrix)
  const rowsMax = Math.min(Math.floor(bindingBytesMax / (rowBytes * places)), PART_ROWS_MAX)
  assert(rowsMax > 0, 'a row fits what a kernel can see')
  const drafts: PartDraft[] = []
  for (let first = 0; first < rows; first += rowsMax) {
    const count = Math.min(rowsMax, rows - first)
    drafts.push({
      ...{ first, rows: count },
      weights: memory.storage(count * places * rowBytes),
      scales: new Float32Array(matrix.format === 'f32' ? 0 : count * places),
      multipliers: new Uint8Array(matrix.format === 'q4' ? count * places * unitsOf(matrix) : 0),
    })
  }
  return drafts
}

function rowBytesOf(matrix: Matrix): number {
  if (matrix.format === 'f32') return matrix.columns * 4
  return matrix.format === 'q8' ? paddedColumns(matrix.columns) : paddedColumns(matrix.columns) / 2
}

function copyRows(
  device: GPUDevice,
  draft: PartDraft,
  from: { matrix: Matrix; first: number; count: number; target: number },
): void {
  const { matrix, first, count, target } = from
  const data = matrix.format === 'q4' ? matrix.nibbles : matrix.values
  const width = data.length / matrix.rows
  const at = { buffer: draft.weights, offset: target * rowBytesOf(matrix) }
  writeBytes(device, at, data.subarray(first * width, (first + count) * width))
  if (matrix.format !== 'f32') draft.scales.set(matrix.scales.subarray(first, first + count), target)
  if (matrix.format !== 'q4') return
  const units = unitsOf(matrix)
  draft.multipliers.set(matrix.multipliers.subarray(first * units, (first + count) * units), target * units)
}

function finishPart(memory: DeviceMemory, { first, rows, weights, scales, multipliers }: PartDraft): MatrixPart {
  return {
    ...{ first, rows, weights },
    scales: scales.length > 0 ? memory.holding(scales) : undefined,
    multipliers: multipliers.length > 0 ? memory.holding(multipliers) : undefined,
  }
}
