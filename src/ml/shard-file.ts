/**
 * The file of one segment in one number format: magic, version, JSON header, then tensors in the layouts
 * of ml/tensors.ts, each part 64-byte aligned. Model, range and format fix every byte but the
 * weights, so a header is compared, never believed. Knows no files. Spec: docs/spec/model.md §4.
 * @module
 */
import { MODEL_LIMITS } from '../base/limits.ts'
import { GROUP_SIZE, type ModelConfig, paddedColumns, type WeightFormat } from './config.ts'
import { ModelError } from './model-error.ts'
import { type LayerRange, type Matrix, type TensorPlan, tensorPlan } from './tensors.ts'

export const SHARD_ALIGNMENT_BYTES = 64
/** Magic (8), version (u32), header length (u32), both little-endian. */
export const SHARD_PREFIX_BYTES = 16

const MAGIC = 'dllmshrd'
const VERSION = 1

/** One array of a tensor. Vectors have `values` alone. */
export interface PartLayout {
  readonly part: 'values' | 'nibbles' | 'multipliers' | 'scales'
  /** From the start of the file. */
  readonly offset: number
  readonly bytes: number
  readonly bytesPerRow: number
}

export interface TensorLayout {
  readonly plan: TensorPlan
  readonly parts: readonly PartLayout[]
}

export interface ShardLayout {
  readonly format: WeightFormat
  /** Magic, version, header and padding: the bytes before the first tensor. */
  readonly head: Uint8Array<ArrayBuffer>
  readonly tensors: readonly TensorLayout[]
  readonly totalBytes: number
}

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }

/** Everything about the file of `range` but its weights. */
export function shardLayout(config: ModelConfig, range: LayerRange, format: WeightFormat): ShardLayout {
  const plan = tensorPlan(config, range)
  const sized = plan.map((tensor) => ({ tensor, parts: partSizes(tensor, format) }))
  const header = new TextEncoder().encode(JSON.stringify(headerOf(range, format, plan)))
  const headBytes = aligned(SHARD_PREFIX_BYTES + header.length)
  const head = new Uint8Array(headBytes)
  head.fill(0x20) // JSON padding is spaces, so that the header's length can cover it
  head.set(new TextEncoder().encode(MAGIC))
  const view = new DataView(head.buffer)
  view.setUint32(8, VERSION, true)
  view.setUint32(12, headBytes - SHARD_PREFIX_BYTES, true)
  head.set(header, SHARD_PREFIX_BYTES)
  let offset = headBytes
  const tensors = sized.map(({ tensor, parts }) => ({
    plan: tensor,
    parts: parts.map(({ part, bytesPerRow }) => {
      const layout = { part, offset, bytes: bytesPerRow * tensor.rows, bytesPerRow }
      offset = aligned(offset + layout.bytes)
      return layout
    }),
  }))
  return { format, head, tensors, totalBytes: offset }
}

/**
 * Compares the first bytes of a file with what the manifest says that it must hold.
 * `start` has at least `layout.head.length` bytes unless the file is shorter. Throws MODEL_BAD_SHARD.
 */
export function checkShardHead(start: Uint8Array, fileBytes: number, layout: ShardLayout): void {
  if (fileBytes !== layout.totalBytes) {
    throw badShard(`it has ${fileBytes} bytes instead of ${layout.totalBytes}`)
  }
  const head = layout.head
  if (start.length < head.length) throw badShard('it ends within its header')
  if (!sameBytes(start.subarray(0, MAGIC.length), head.subarray(0, MAGIC.length))) throw badShard('it is not a shard')
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  if (view.getUint32(8, true) !== VERSION) throw badShard(`its version is ${view.getUint32(8, true)}, not ${VERSION}`)
  const length = view.getUint32(12, true)
  if (length > MODEL_LIMITS.shardHeaderBytesMax) throw badShard('its header is over the limit')
  if (!sameBytes(start.subarray(0, head.length), head)) {
    throw badShard('its header lists other tensors than the manifest asks for')
  }
}

/**
 * A tensor's arrays as a Matrix; `read` gives the bytes of a part in a buffer of its own. Throws MODEL_BAD_SHARD for numbers that numerics.md §3 does
 * not have: engines need not agree on them, and who serves such a model would lose its deposit.
 */
export function matrixFromParts(
  layout: TensorLayout,
  format: WeightFormat,
  read: (part: PartLayout) => ArrayBuffer,
): Matrix {
  const { rows, columns } = layout.plan
  const [first, second, third] = layout.parts.map(read)
  switch (format) {
    case 'f32':
      return { format, rows, columns, values: new Float32Array(first!) }
    case 'q8': {
      const values = new Int8Array(first!)
      if (values.includes(-128)) throw badShard('it has a weight of −128')
      return { format, rows, columns, values, scales: scalesOf(second!) }
    }
    case 'q4': {
      const multipliers = new Uint8Array(second!)
      if (multipliers.some((multiplier) => multiplier < 1 || multiplier > MULTIPLIER_MAX)) {
        throw badShard(`it has a multiplier that is not 1 to ${MULTIPLIER_MAX}`)
      }
      return { format, rows, columns, nibbles: new Uint8Array(first!), multipliers, scales: scalesOf(third!) }
    }
  }
}

const MULTIPLIER_MAX = 63
/** Of the largest f32; greater are the bits of infinity, of what is no number, and of all that has a sign, −0 too. */
const LARGEST_BITS = 0x7f7f_ffff

function scalesOf(bytes: ArrayBuffer): Float32Array {
  if (new Uint32Array(bytes).some((bits) => bits > LARGEST_BITS))
    throw badShard('it has a scale that is negative or not finite')
  return new Float32Array(bytes)
}

/** The arrays of a block of rows, in the order of the tensor's parts. */
export function partsOfMatrix(matrix: Matrix): Uint8Array[] {
  const bytes = (array: Float32Array | Int8Array | Uint8Array): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  switch (matrix.format) {
    case 'f32':
      return [bytes(matrix.values)]
    case 'q8':
      return [bytes(matrix.values), bytes(matrix.scales)]
    case 'q4':
      return [bytes(matrix.nibbles), bytes(matrix.multipliers), bytes(matrix.scales)]
  }
}

function headerOf(range: LayerRange, format: WeightFormat, plan: readonly TensorPlan[]): unknown {
  const { firstLayer, lastLayer, hasEmbedding, hasHead } = range
  const tensors = plan.map(({ name, kind, rows, columns }) => ({ name, kind, rows, columns }))
  return { format, firstLayer, lastLayer, hasEmbedding, hasHead, tensors }
}

function partSizes(plan: TensorPlan, format: WeightFormat): Pick<PartLayout, 'part' | 'bytesPerRow'>[] {
  const { columns } = plan
  if (plan.kind === 'vector' || format === 'f32') return [{ part: 'values', bytesPerRow: columns * 4 }]
  const padded = paddedColumns(columns)
  const scales = { part: 'scales', bytesPerRow: 4 } as const
  if (format === 'q8') return [{ part: 'values', bytesPerRow: padded }, scales]
  const multipliers = { part: 'multipliers', bytesPerRow: padded / GROUP_SIZE } as const
  return [{ part: 'nibbles', bytesPerRow: padded / 2 }, multipliers, scales]
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / SHARD_ALIGNMENT_BYTES) * SHARD_ALIGNMENT_BYTES
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function badShard(problem: string): ModelError {
  return new ModelError(
    'MODEL_BAD_SHARD',
    `A shard file cannot be used: ${problem}. \`dllm shard verify\` sets it aside, so that it is fetched again; or import the model again.`,
  )
}
