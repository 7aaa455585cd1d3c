/**
 * What a stage computes, as recorded calls: the embedding, each layer, the head. Ten calls per layer of q8 or q4, eight of f32.
 * Spec: docs/spec/numerics.md §6.
 * @module
 */
import type { ModelConfig } from '../../config.ts'
import { EMBEDDING, HEAD, type LayerPart, type LayerRange, layerTensor, OUTPUT_NORM } from '../../tensors.ts'
import { asked } from './device-memory.ts'
import { type DeviceMatrix, type UploadOptions, uploadMatrix } from './device-weights.ts'
import type { KernelSet } from './kernels.ts'
import { type Call, type CallPlan, createRecorder } from './recorder.ts'
import { createScratch, type Scratch } from './scratch.ts'
import { ATTEND, ROTATE } from './wgsl-attention.ts'
import { LARGEST, LARGEST_OF_SHARE, sharesOf } from './wgsl-largest.ts'
import { MATRIX_ENDS, MATRIX_ROWS, type MatrixEnd, matrixKernel } from './wgsl-matrix.ts'
import { EMBED_THREADS, embedKernel, NORM, QUANTIZE, QUANTIZE_THREADS } from './wgsl-rows.ts'

export interface Program {
  readonly embedding: readonly Call[]
  /** From the stage's first layer on. */
  readonly layers: readonly (readonly Call[])[]
  /** For the rows whose logits are wanted. */
  readonly head: readonly Call[]
  /** After the head, where of each row the largest logit is wanted and nothing else. */
  readonly largest: readonly Call[]
  readonly scratch: Scratch
  readonly weightBytes: number
}

export interface ProgramOptions extends UploadOptions {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly kernels: KernelSet
  /** Rows of a pass at the most, and those for which a weight is read once. */
  readonly rowsMax: number
  readonly tile: number
}

/** Bits of f32(value), as a parameter. */
function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!
}

export async function recordProgram(options: ProgramOptions): Promise<Program> {
  const { config, range, memory, source, tile } = options
  const { value: scratch, refusal } = asked(memory.device, () => createScratch(options))
  const full = await refusal
  if (full !== undefined) throw full
  const recorder = createRecorder(memory, options.kernels, scratch.now)
  let weightBytes = 0
  const matrix = (names: readonly string[], arrangement: 'stacked' | 'paired' = 'stacked') => {
    const uploaded = uploadMatrix(options, names, arrangement)
    weightBytes += uploaded.bytes
    return uploaded
  }
  const vector = (...names: string[]) => {
    const parts = names.map((name) => source.vector(name))
    const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      joined.set(part, at)
      at += part.length
    }
    weightBytes += joined.byteLength
    return memory.holding(joined)
  }
  const record = async (plansOf: () => readonly CallPlan[]) => {
    const { value: plans, refusal } = asked(memory.device, plansOf)
    const full = await refusal
    if (full !== undefined) throw full
    // What is written lies in memory of this machine until the device has it: one layer at a time, not all.
    await memory.device.queue.onSubmittedWorkDone()
    const calls: Call[] = []
    for (const plan of plans) calls.push(await recorder.record(plan))
    return calls
  }
  const load: Load = { config, tile, scratch, matrix, vector }
  const embedding = range.hasEmbedding ? await record(() => embeddingPlans(load)) : []
  const layers: Call[][] = []
  for (let layer = range.firstLayer; layer < range.lastLayer; layer++) {
    layers.push(await record(() => layerPlans(load, layer, layer - range.firstLayer)))
  }
  const head = range.hasHead ? await record(() => headPlans(load)) : []
  const largest = range.hasHead ? await record(() => largestPlans(load)) : []
  return { embedding, layers, head, largest, scratch, weightBytes }
}

interface Load {
  readonly config: ModelConfig
  readonly tile: number
  readonly scratch: Scratch
  readonly matrix: (names: readonly string[], arrangement?: 'stacked' | 'paired') => DeviceMatrix
  readonly vector: (...names: string[]) => GPUBuffer
}

function embeddingPlans({ config, scratch, matrix }: Load): CallPlan[] {
  const { format, units, parts } = matrix([EMBEDDING])
  return parts.map(({ first, rows, weights, scales, multipliers }) => ({
    kernel: embedKernel(format),
    parameters: { length: config.hiddenSize, width: units * 32, first, count: rows },
    buffers: present({ tokens: scratch.tokens, weights, row_scales: scales, multipliers, hidden: scratch.hidden }),
    width: Math.ceil(config.hiddenSize / EMBED_THREADS),
  }))
}

/** §6 of one layer; `index` is its place in the stage. */
function layerPlans(load: Load, layer: number, index: number): CallPlan[] {
  const { config, scratch, matrix, vector } = load
  const { headCount, keyValueHeadCount, headSize, intermediateSize } = config
  const name = (part: LayerPart) => layerTensor(layer, part)
  const projection = matrix([name('query'), name('key'), name('value')])
  const output = matrix([name('attentionOutput')])
  const gateAndUp = matrix([name('gate'), name('up')], 'paired')
  const down = matrix([name('down')])
  const integers = projection.format !== 'f32'
  const sizes = { heads: headCount, shared_heads: keyValueHeadCount, size: headSize }
  const { hidden, floats, gated } = scratch
  return [
    normPlan(load, { gain: vector(name('attentionNorm')), integers, isHead: false }),
    ...productPlans(load, projection, { end: 'plain', inputs: floats, outputs: scratch.projected }),
    rotatePlan(load, layer, index),
    {
      kernel: ATTEND,
      parameters: { ...sizes, factor: bitsOf(1 / Math.sqrt(headSize)), window: config.slidingWindow ?? 0 },
      buffers: { ...scratch },
      layer: index,
      width: headCount,
    },
    ...(integers ? [quantizePlan(load, floats, headCount * headSize)] : []),
    ...productPlans(load, output, { end: 'residual', inputs: floats, outputs: hidden }),
    normPlan(load, { gain: vector(name('feedForwardNorm')), integers, isHead: false }),
    ...productPlans(load, gateAndUp, { end: 'gated', inputs: floats, outputs: gated }),
    ...(integers ? [quantizePlan(load, gated, intermediateSize)] : []),
    ...productPlans(load, down, { end: 'residual', inputs: gated, outputs: hidden }),
  ]
}

function rotatePlan({ config, scratch, vector }: Load, layer: number, index: number): CallPlan {
  const { headCount, keyValueHeadCount, headSize } = config
  const name = (part: LayerPart) => layerTensor(layer, part)
  return {
    kernel: ROTATE,
    parameters: {
      ...{ heads: headCount, shared_heads: keyValueHeadCount, size: headSize },
      ...{ has_bias: Number(config.queryKeyValueBias), has_norm: Number(config.queryKeyNorm) },
      ...{ epsilon: bitsOf(config.normEpsilon), float_size: bitsOf(headSize) },
    },
    buffers: {
      ...scratch,
      ...(config.queryKeyValueBias && { bias: vector(name('queryBias'), name('keyBias'), name('valueBias')) }),
      ...(config.queryKeyNorm && { gains: vector(name('queryNorm'), name('keyNorm')) }),
    },
    layer: index,
    width: headCount + 2 * keyValueHeadCount,
  }
}

/** §6, output. */
function headPlans(load: Load): CallPlan[] {
  const { scratch, matrix, vector } = load
  const head = matrix([HEAD])
  return [
    normPlan(load, { gain: vector(OUTPUT_NORM), integers: head.format !== 'f32', isHead: true }),
    ...productPlans(load, head, { end: 'plain', inputs: scratch.floats, outputs: scratch.logits }),
  ]
}

/** numerics.md §8.2. */
function largestPlans({ config, scratch }: Load): CallPlan[] {
  const length = config.vocabularySize
  const shares = sharesOf(length)
  return [
    { kernel: LARGEST_OF_SHARE, parameters: { length, shares }, buffers: { ...scratch }, width: shares },
    { kernel: LARGEST, parameters: { shares }, buffers: { ...scratch }, width: 1 },
  ]
}

function normPlan({ config, scratch }: Load, of: { gain: GPUBuffer; integers: boolean; isHead: boolean }): CallPlan {
  return {
    kernel: NORM,
    parameters: {
      ...{ length: config.hiddenSize, float_length: bitsOf(config.hiddenSize), epsilon: bitsOf(config.normEpsilon) },
      ...{ quantizes: Number(of.integers), is_head: Number(of.isHead) },
    },
    buffers: { ...scratch, gain: of.gain },
    width: 1,
  }
}

function quantizePlan({ scratch }: Load, floats: GPUBuffer, length: number): CallPlan {
  return {
    kernel: QUANTIZE,
    parameters: { length },
    buffers: { ...scratch, floats },
    width: Math.ceil(length / 32 / QUANTIZE_THREADS),
  }
}

/** One call per part of the matrix. */
function productPlans(
  { scratch, tile }: Load,
  matrix: DeviceMatrix,
  of: { end: MatrixEnd; inputs: GPUBuffer; outputs: GPUBuffer },
): CallPlan[] {
  const { format, units, parts } = matrix
  const { end, inputs, outputs } = of
  const wide = format === 'f32' || tile === 1 ? undefined : { kernel: matrixKernel(format, tile), tile }
  return parts.map(({ first, rows, weights, scales, multipliers }) => ({
    kernel: matrixKernel(format, 1),
    ...(wide && { wide }),
    parameters: { rows, units, first, stride: matrix.rows, end: MATRIX_ENDS[end] },
    buffers: present({ ...scratch, weights, row_scales: scales, multipliers, inputs, outputs }),
    width: Math.ceil(rows / MATRIX_ROWS[end]),
  }))
}

/** Without what is undefined. */
function present(buffers: Readonly<Record<string, GPUBuffer | undefined>>): Record<string, GPUBuffer> {
  return Object.fromEntries(
    Object.entries(buffers).filter((entry): entry is [string, GPUBuffer] => entry[1] !== undefined),
  )
}
