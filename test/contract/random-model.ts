/**
 * Small models with random weights, made directly in each number format. No importer, no files: the same seed gives the
 * same weights on every machine.
 * @module
 */
import { philox4x32 } from '../../src/base/prng.ts'
import { type ModelConfig, paddedColumns, type WeightFormat } from '../../src/ml/config.ts'
import {
  EMBEDDING,
  HEAD,
  type LayerRange,
  type Matrix,
  type TensorPlan,
  tensorPlan,
  type WeightSource,
} from '../../src/ml/tensors.ts'

/** Generator of 32-bit words: Philox with a running counter. */
export interface Generator {
  /** Uniform in [0, bound). */
  integer(bound: number): number
  /** Uniform in [−scale, scale), f32. */
  real(scale: number): number
}

export function generator(seed: number, stream = 0): Generator {
  let counter = 0
  let words: number[] = []
  const next = () => {
    if (words.length === 0) words = philox4x32([counter++, stream, 0, 0], [seed, 0])
    return words.pop()!
  }
  return {
    integer: (bound) => Math.floor((next() / 2 ** 32) * bound),
    real: (scale) => Math.fround((next() / 2 ** 31 - 1) * scale),
  }
}

/** Ordinary; or every integer of a matrix at its bound and every gain 1, to provoke overflow. */
export type Magnitude = 'ordinary' | 'extreme'

export interface RandomModelOptions {
  readonly config: ModelConfig
  readonly format: WeightFormat
  readonly seed: number
  readonly magnitude?: Magnitude
}

/** Weights of a whole model; each tensor is a function of the seed and its name. */
export function randomWeights(options: RandomModelOptions): WeightSource {
  const { config, seed, magnitude = 'ordinary' } = options
  const shapes = new Map(tensorPlan(config, wholeRange(config)).map((tensor) => [tensor.name, tensor]))
  const randomOf = (name: string) => {
    const source = name === HEAD && config.tiedHead ? EMBEDDING : name
    return generator(
      seed,
      [...source].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7),
    )
  }
  const shapeOf = (name: string) => {
    const shape = shapes.get(name)
    if (!shape) throw new Error(`no tensor ${name}`)
    return shape
  }
  return {
    matrix: (name) => randomMatrix(shapeOf(name), options, randomOf(name)),
    vector: (name) => {
      const random = randomOf(name)
      const centre = name.endsWith('orm') ? 1 : 0
      const spread = magnitude === 'extreme' ? 0 : 0.3
      return Float32Array.from({ length: shapeOf(name).rows }, () => centre + random.real(spread))
    },
  }
}

/** A matrix of this shape whose products stay near the size of their input. */
export function randomMatrix(
  shape: Pick<TensorPlan, 'rows' | 'columns'>,
  options: Pick<RandomModelOptions, 'format' | 'magnitude'>,
  random: Generator,
): Matrix {
  const { rows, columns } = shape
  const { format, magnitude = 'ordinary' } = options
  const width = paddedColumns(columns)
  const size = 1.5 / Math.sqrt(columns)
  if (format === 'f32') {
    return { format, rows, columns, values: Float32Array.from({ length: rows * columns }, () => random.real(size)) }
  }
  const largest = format === 'q8' ? 127 : 8 * 63
  const scales = Float32Array.from({ length: rows }, () => (size / largest) * (0.75 + random.integer(1_000) / 2_000))
  if (format === 'q8') {
    const value = () => (magnitude === 'extreme' ? 127 : random.integer(255) - 127)
    return { format, rows, columns, values: padded(rows, columns, width, value), scales }
  }
  const nibble = () => (magnitude === 'extreme' ? 0 : random.integer(16))
  const groups = width / 32
  const elements = padded(rows, columns, width, () => nibble() - 8)
  const nibbles = new Uint8Array(rows * groups * 16)
  for (let at = 0; at < nibbles.length; at++) {
    const low = Math.floor(at / 16) * 32 + (at % 16)
    nibbles[at] = (elements[low]! + 8) | ((elements[low + 16]! + 8) << 4)
  }
  const multiplier = () => (magnitude === 'extreme' ? 63 : 1 + random.integer(63))
  return { format, rows, columns, nibbles, multipliers: Uint8Array.from({ length: rows * groups }, multiplier), scales }
}

/** (rows, width) with zeros past `columns`. */
function padded(rows: number, columns: number, width: number, value: () => number): Int8Array {
  return Int8Array.from({ length: rows * width }, (_unused, at) => (at % width < columns ? value() : 0))
}

/** A config of one family feature each; sizes are odd on purpose. */
export function smallConfig(change: Partial<ModelConfig> = {}): ModelConfig {
  return {
    family: 'llama',
    hiddenSize: 40,
    layerCount: 3,
    headCount: 4,
    keyValueHeadCount: 2,
    headSize: 10,
    intermediateSize: 75,
    vocabularySize: 51,
    contextLength: 512,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    ropeScaling: { type: 'none' },
    slidingWindow: undefined,
    queryKeyValueBias: false,
    queryKeyNorm: false,
    tiedHead: false,
    beginToken: undefined,
    endTokens: [],
    ...change,
  }
}

/** All of a model. */
export function wholeRange(config: ModelConfig): LayerRange {
  return { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: true }
}
