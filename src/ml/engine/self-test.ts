/**
 * Whether a device gives the bits of exact-1: a small model with every step of the specification, on rows that drivers get wrong if they get
 * anything wrong (subnormal, far apart, zero), against the reference engine. Knows no device.
 * Spec: docs/spec/gpu.md §4.
 * @module
 */
import { philox4x32 } from '../../base/prng.ts'
import { type ModelConfig, paddedColumns, type WeightFormat } from '../config.ts'
import { largestIndex } from '../sampler.ts'
import { type LayerRange, type Matrix, type TensorPlan, tensorPlan, type WeightSource } from '../tensors.ts'
import type { CacheId, DeviceEngine, Stage, StepInput, StepOutput } from './engine.ts'
import { createReferenceEngine } from './reference.ts'

export interface SelfTestFailure {
  /** Which rows. */
  readonly what: string
  readonly format: WeightFormat
  /** Numbers that came out otherwise, of how many; all of them where the device refused the rows. */
  readonly differing: number
  readonly count: number
}

/** Norms of queries and keys, biases, a window: all that any family has. Sizes that fit no unit of a device. */
const CONFIG: ModelConfig = {
  family: 'qwen3',
  hiddenSize: 40,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  headSize: 10,
  intermediateSize: 75,
  // More than one group of threads looks at, of those that look for the largest logit.
  vocabularySize: 300,
  contextLength: 64,
  normEpsilon: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none' },
  slidingWindow: 9,
  queryKeyValueBias: true,
  queryKeyNorm: true,
  tiedHead: false,
  beginToken: undefined,
  endTokens: [],
}
/**
 * What a workgroup or a tile does not take at once, so that loops of kernels go round again: that is where a missing barrier shows. Attention, with heads and a window
 * longer than its steps; and norm, quantising and product of the head, with a row of 66 groups. Else small, since software drivers are slow at workgroups.
 */
const LONG_ATTENTION: ModelConfig = {
  ...CONFIG,
  ...{ layerCount: 1, headCount: 2, keyValueHeadCount: 1, headSize: 136, slidingWindow: 19 },
}
const WIDE_HEAD: ModelConfig = { ...CONFIG, hiddenSize: 2_112, vocabularySize: 33 }
const ROWS = 7
const MANY_ROWS = 21
const CAPACITY = 32
const CACHE_BYTES_MAX = 1 << 20

/** Factor of the value at each place of a row of activations. */
const SIZES: readonly (readonly [what: string, size: (at: number) => number])[] = [
  ['ordinary rows', () => 2],
  ['subnormal rows', () => 1e-39],
  ['rows from subnormal to large', (at) => 10 ** (at - 40)],
  ['rows with one large value', (at) => (at === 3 ? 1e17 : 1e-3)],
  ['rows of zeros', () => 0],
  // What overflows is to be told of: nothing may make a finite number of it.
  ['rows too large', (at) => (at === 3 ? 1e30 : 1)],
]

/** With weights of these formats. undefined: every bit was right. @throws EngineError, as the device. */
export async function testNumbers(
  engine: DeviceEngine,
  formats: readonly WeightFormat[],
): Promise<SelfTestFailure | undefined> {
  for (const format of formats) {
    const failure =
      (await compare(engine, { config: CONFIG, range: wholeOf(CONFIG), format }, conversations)) ??
      (await compare(engine, { config: LONG_ATTENTION, range: layersOf(LONG_ATTENTION), format }, manyRows)) ??
      (await compare(engine, { config: WIDE_HEAD, range: headOf(WIDE_HEAD), format }, manyRows))
    if (failure !== undefined) return failure
  }
  return undefined
}

interface Sample {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly format: WeightFormat
}

async function compare(
  engine: DeviceEngine,
  sample: Sample,
  conversationsOf: (sample: Sample) => readonly Conversation[],
): Promise<SelfTestFailure | undefined> {
  const { config, range, format } = sample
  const options = { config, range, weights: weightsOf(sample), cacheBytesMax: CACHE_BYTES_MAX }
  const reference = createReferenceEngine().createStage(options)
  const stage = await engine.createStage(options)
  try {
    for (const conversation of conversationsOf(sample)) {
      const { what } = conversation
      const expected = await outputsOf(reference, conversation)
      const found = await outputsOf(stage, conversation)
      const differing = found.reduce((sum, output, index) => sum + differences(output, expected[index]!), 0)
      const count = expected.reduce((sum, output) => sum + valuesOf(output).length, 0)
      if (differing > 0) return { what, format, differing, count }
    }
  } finally {
    reference.close()
    await stage.close()
  }
  return undefined
}

function wholeOf({ layerCount }: ModelConfig): LayerRange {
  return { firstLayer: 0, lastLayer: layerCount, hasEmbedding: true, hasHead: true }
}

function layersOf(config: ModelConfig): LayerRange {
  return { ...wholeOf(config), hasEmbedding: false, hasHead: false }
}

interface Conversation {
  readonly what: string
  readonly part: LayerRange
  /** Several rows, then one. */
  readonly inputs: readonly StepInput['input'][]
  readonly largestOnly?: boolean
}

function headOf(config: ModelConfig): LayerRange {
  return { ...wholeOf(config), firstLayer: config.layerCount, hasEmbedding: false }
}

type Rows = (count: number, size: (at: number) => number) => StepInput['input']

function createRows({ hiddenSize }: ModelConfig): Rows {
  const random = createReals(1)
  const row = (size: (at: number) => number) => (_value: number, at: number) => random() * size(at % hiddenSize)
  return (count, size) => ({ type: 'hidden', values: new Float32Array(count * hiddenSize).map(row(size)) })
}

function manyRows({ config, range }: Sample): Conversation[] {
  const [rows, size] = [createRows(config), () => 2]
  return [{ what: 'many rows', part: range, inputs: [rows(MANY_ROWS, size), rows(1, size)] }]
}

function conversations({ config }: Sample): Conversation[] {
  const rows = createRows(config)
  const tokens = (...ids: number[]): StepInput['input'] => ({ type: 'tokens', tokens: Int32Array.from(ids) })
  const text = { part: wholeOf(config), inputs: [tokens(3, 1, 4, 1, 5, 9, 2), tokens(6)] }
  return [
    ...SIZES.map(([what, size]) => ({ what, part: layersOf(config), inputs: [rows(ROWS, size), rows(1, size)] })),
    { what: 'tokens', ...text },
    { what: 'the largest logits', ...text, largestOnly: true },
  ]
}

type AnyStage = Pick<Stage, 'config' | 'openCache' | 'closeCache'> & {
  run(batch: readonly StepInput[]): StepOutput[] | Promise<StepOutput[]>
}

async function outputsOf(stage: AnyStage, { part, inputs, largestOnly = false }: Conversation): Promise<StepOutput[]> {
  const cache: CacheId = stage.openCache(CAPACITY, part)
  const outputs: StepOutput[] = []
  let position = 0
  for (const input of inputs) {
    const [output] = await stage.run([{ cache, position, input, logits: 'all', largestOnly }])
    outputs.push(largestOnly ? withLargest(output!, stage.config) : output!)
    position += input.type === 'tokens' ? input.tokens.length : input.values.length / stage.config.hiddenSize
  }
  stage.closeCache(cache)
  return outputs
}

/** Of an engine that gives logits all the same. */
function withLargest(output: StepOutput, { vocabularySize }: ModelConfig): StepOutput {
  if (output.type !== 'logits' || output.largest !== undefined) return output
  const { type, values } = output
  const largest = Int32Array.from({ length: values.length / vocabularySize }, (_, row) =>
    largestIndex(values.subarray(row * vocabularySize, (row + 1) * vocabularySize)),
  )
  return { type, values: new Float32Array(0), largest }
}

function valuesOf(output: StepOutput): Uint32Array {
  if (output.type === 'failed') return new Uint32Array(1)
  if (output.type === 'logits' && output.largest !== undefined) return Uint32Array.from(output.largest)
  return new Uint32Array(output.values.buffer, output.values.byteOffset, output.values.length)
}

function differences(found: StepOutput, expected: StepOutput): number {
  const [a, b] = [valuesOf(found), valuesOf(expected)]
  if (found.type !== expected.type || a.length !== b.length) return b.length
  return b.reduce((sum, word, at) => sum + (word === a[at] ? 0 : 1), 0)
}

/** Uniform in [−1, 1). */
function createReals(seed: number): () => number {
  let counter = 0
  let block: readonly number[] = []
  return () => {
    const place = counter % 4
    if (place === 0) block = philox4x32([counter / 4, 0, 0, 0], [seed, 0])
    counter++
    return block[place]! / 2 ** 31 - 1
  }
}

function weightsOf({ config, range, format }: Sample): WeightSource {
  const plans = new Map(tensorPlan(config, range).map((plan, index) => [plan.name, { plan, seed: 100 + index }]))
  return {
    matrix(name) {
      const { plan, seed } = plans.get(name)!
      return matrixOf(plan, format, createReals(seed))
    },
    vector(name) {
      const { plan, seed } = plans.get(name)!
      const random = createReals(seed)
      return new Float32Array(plan.rows).map(() => 1 + 0.3 * random())
    },
  }
}

function matrixOf({ rows, columns }: TensorPlan, format: WeightFormat, random: () => number): Matrix {
  if (format === 'f32') return { format, rows, columns, values: new Float32Array(rows * columns).map(random) }
  const width = paddedColumns(columns)
  const largest = format === 'q8' ? 127 : 8 * 63
  // One row of each matrix has a scale so small that its results are subnormal.
  const scaleOf = (row: number): number => (row === 1 ? 1e-42 : (1.25 + 0.5 * random()) / largest / Math.sqrt(columns))
  const scales = new Float32Array(rows).map((_, row) => scaleOf(row))
  const word = (): number => Math.floor((random() + 1) * 2 ** 31)
  if (format === 'q8') {
    const value = (_: number, at: number): number => (at % width < columns ? (word() % 255) - 127 : 0)
    return { format, rows, columns, values: new Int8Array(rows * width).map(value), scales }
  }
  const groups = width / 32
  /** Of columns past the last one: zero, which is 8. */
  const nibble = (column: number): number => (column < columns ? word() % 16 : 8)
  const nibbles = new Uint8Array((rows * width) / 2).map((_, at) => {
    const column = Math.floor((at % (width / 2)) / 16) * 32 + (at % 16)
    return nibble(column) | (nibble(column + 16) << 4)
  })
  const multipliers = new Uint8Array(rows * groups).map(() => 1 + (word() % 63))
  return { format, rows, columns, nibbles, multipliers, scales }
}
