/**
 * The metadata of a GGUF file to a ModelConfig. What exact-1 does not compute is refused by name, and so is a key of the
 * architecture that is not known here: it may change the numbers. Knows no files. Spec: docs/spec/model.md §10.
 * @module
 */
import { MODEL_LIMITS } from '../../base/limits.ts'
import type { ModelConfig, ModelFamily, ModelSizes, RopeScaling } from '../config.ts'
import { type JsonFields, readFields } from '../json-fields.ts'
import { ModelError } from '../model-error.ts'
import type { GgufHeader, GgufTensor } from './header.ts'
import { llama3Scaling } from './rope-factors.ts'
import { EMBEDDING_NAME, HEAD_NAME } from './tensors.ts'

/** Mistral, TinyLlama, SmolLM2 and others are `llama` there. */
const FAMILIES: readonly ModelFamily[] = ['llama', 'qwen2', 'qwen3']

const DEFAULT_THETA = 10_000
const FACTOR = { min: 1, max: 1e6 }

/** Keys of the architecture that are read here, or that change no number. */
const KNOWN: ReadonlySet<string> = new Set([
  'block_count',
  'context_length',
  'embedding_length',
  'feed_forward_length',
  'vocab_size',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'attention.sliding_window',
  'attention.causal',
  'expert_count',
  'expert_used_count',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scale_linear',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'tensor_data_layout',
])

/** Metadata by name; `of` adds the name of the architecture. */
export interface GgufFields {
  readonly all: JsonFields
  readonly family: ModelFamily
  readonly of: (key: string) => string
}

/** Metadata of a model of a known architecture. Throws MODEL_UNSUPPORTED or MODEL_BAD_CONFIG. */
export function readGgufFields(metadata: GgufHeader['metadata']): GgufFields {
  const all = readFields(Object.fromEntries(metadata), badConfig)
  const name = all.text('general.architecture')
  const family = FAMILIES.find((known) => known === name)
  if (family === undefined)
    throw unsupported(`the architecture ${name}`, `It takes ${FAMILIES.join(', ')} from GGUF files`)
  const stranger = all
    .keys()
    .filter((key) => key.startsWith(`${name}.`))
    .find((key) => !KNOWN.has(key.slice(name.length + 1)))
  if (stranger !== undefined)
    throw unsupported(`${stranger}, which this program does not know`, 'Import the safetensors of this model')
  return { all, family, of: (key) => `${name}.${key}` }
}

/** What is read besides the metadata. */
export interface GgufParts {
  readonly tensors: ReadonlyMap<string, Pick<GgufTensor, 'shape'>>
  /** Values of `rope_freqs.weight`, where there is one. */
  readonly ropeFactors: Float32Array | undefined
  readonly beginToken: number | undefined
  readonly endTokens: readonly number[]
}

/** Throws MODEL_UNSUPPORTED for what exact-1 does not have and MODEL_BAD_CONFIG for values that are missing or over a bound. */
export function configFromGguf(fields: GgufFields, parts: GgufParts): ModelConfig {
  const { all, family, of } = fields
  refuseOptions(fields)
  const sizes = readSizes(fields, parts.tensors)
  const ropeTheta = all.has(of('rope.freq_base'))
    ? decimal(all.number(of('rope.freq_base'), { min: 1, max: 1e12 }))
    : DEFAULT_THETA
  const scaling = readScaling(fields)
  if (parts.ropeFactors !== undefined && scaling.type !== 'none') throw badConfig('it scales rotary positions twice')
  const slidingWindow = readWindow(fields, sizes.contextLength)
  return {
    family: family === 'llama' && slidingWindow !== undefined ? 'mistral' : family,
    ...sizes,
    normEpsilon: decimal(all.number(of('attention.layer_norm_rms_epsilon'), { min: 1e-12, max: 1 })),
    ropeTheta,
    ropeScaling:
      parts.ropeFactors === undefined
        ? scaling
        : llama3Scaling(parts.ropeFactors, { headSize: sizes.headSize, ropeTheta }),
    slidingWindow,
    queryKeyValueBias: family === 'qwen2',
    queryKeyNorm: family === 'qwen3',
    tiedHead: !parts.tensors.has(HEAD_NAME),
    beginToken: parts.beginToken,
    endTokens: parts.endTokens,
  }
}

function refuseOptions({ all, of }: GgufFields): void {
  if (all.has(of('expert_count')) && all.integer(of('expert_count'), { min: 0, max: 1_024 }) > 0) {
    throw unsupported('mixtures of experts', 'Choose a dense model')
  }
  if (all.has(of('attention.causal')) && !all.flag(of('attention.causal'))) {
    throw unsupported('attention to later positions', 'Choose a model that generates text')
  }
  if (all.has(of('tensor_data_layout')) && all.text(of('tensor_data_layout')) !== 'Meta AI original pth') {
    throw unsupported('this order of rows', 'Import the safetensors of this model')
  }
}

function readSizes({ all, of }: GgufFields, tensors: GgufParts['tensors']): ModelSizes {
  const size = (key: string, max: number): number => all.integer(of(key), { min: 1, max })
  const hiddenSize = size('embedding_length', MODEL_LIMITS.hiddenMax)
  const headCount = size('attention.head_count', MODEL_LIMITS.headsMax)
  const keyValueHeadCount = all.has(of('attention.head_count_kv'))
    ? size('attention.head_count_kv', headCount)
    : headCount
  if (headCount % keyValueHeadCount !== 0) throw badConfig('its query heads are no multiple of its key heads')
  const sizes = {
    hiddenSize,
    layerCount: size('block_count', MODEL_LIMITS.layersMax),
    headCount,
    keyValueHeadCount,
    headSize: readHeadSize({ all, of }, hiddenSize / headCount),
    intermediateSize: size('feed_forward_length', MODEL_LIMITS.intermediateMax),
    vocabularySize: readVocabularySize(tensors),
    contextLength: size('context_length', MODEL_LIMITS.contextMax),
  }
  if (headCount * sizes.headSize > MODEL_LIMITS.intermediateMax) throw badConfig('the heads together are too wide')
  return sizes
}

/** The rows of the embedding: `vocab_size` is missing in many files. Throws WEIGHTS_MISSING_TENSOR or MODEL_BAD_CONFIG. */
export function readVocabularySize(tensors: GgufParts['tensors']): number {
  const rows = tensors.get(EMBEDDING_NAME)?.shape[1]
  if (rows === undefined) {
    throw new ModelError(
      'WEIGHTS_MISSING_TENSOR',
      `The weights do not hold ${EMBEDDING_NAME}. Download every file of the model.`,
    )
  }
  if (rows > MODEL_LIMITS.vocabularyMax) throw badConfig(`its vocabulary of ${rows} is over the bound`)
  return rows
}

function readHeadSize({ all, of }: Pick<GgufFields, 'all' | 'of'>, share: number): number {
  const optional = (key: string): number | undefined =>
    all.has(of(key)) ? all.integer(of(key), { min: 2, max: MODEL_LIMITS.hiddenMax }) : undefined
  const headSize = optional('attention.key_length') ?? share
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) throw badConfig('its head size is no even number')
  for (const key of ['attention.value_length', 'rope.dimension_count']) {
    const value = optional(key)
    if (value !== undefined && value !== headSize)
      throw unsupported(`${of(key)} of ${value} with heads of ${headSize}`, 'They must be equal')
  }
  return headSize
}

function readScaling({ all, of }: GgufFields): RopeScaling {
  const old = all.has(of('rope.scale_linear')) ? decimal(all.number(of('rope.scale_linear'), FACTOR)) : 1
  const type = all.has(of('rope.scaling.type')) ? all.text(of('rope.scaling.type')) : 'none'
  switch (type) {
    case 'none':
      return old === 1 ? { type: 'none' } : { type: 'linear', factor: old }
    case 'linear':
      return { type: 'linear', factor: decimal(all.number(of('rope.scaling.factor'), FACTOR)) }
    default:
      throw unsupported(`rope scaling of type ${type}`, 'It takes none, linear and the factors of Llama 3')
  }
}

/** Only llama has models with one window for all layers; a window as long as the context is none. */
function readWindow({ all, of, family }: GgufFields, contextLength: number): number | undefined {
  if (!all.has(of('attention.sliding_window'))) return undefined
  const window = all.integer(of('attention.sliding_window'), { min: 0, max: Number.MAX_SAFE_INTEGER })
  if (window === 0 || window >= contextLength) return undefined
  if (family === 'llama') return window
  throw unsupported(`a sliding window of ${window} for ${family} models`, 'Import the safetensors of this model')
}

/**
 * The shortest decimal number that is this f32: metadata of that type stands for what config.json wrote in decimals, and f64
 * arithmetic would tell 1e-5 from the f32 next to it.
 */
export function decimal(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}

function unsupported(what: string, advice: string): ModelError {
  return new ModelError('MODEL_UNSUPPORTED', `exact-1 does not compute ${what}. ${advice}.`)
}

function badConfig(problem: string): ModelError {
  return new ModelError('MODEL_BAD_CONFIG', `The metadata of the GGUF file cannot be used: ${problem}.`)
}
