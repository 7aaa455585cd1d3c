/**
 * The metadata of a GGUF file to a ModelConfig. What exact-1 does not compute is refused by name. Knows no files. Spec: docs/spec/model.md §10.
 * @module
 */
import { MODEL_LIMITS } from '../../base/limits.ts'
import type { ModelConfig, ModelSizes } from '../config.ts'
import { differingExtras } from '../extras.ts'
import { ModelError } from '../model-error.ts'
import { readAttention } from './attention.ts'
import { badGguf, decimal, type GgufFields, type GgufParts, unsupportedGguf } from './fields.ts'
import { EMBEDDING_NAME, HEAD_NAME } from './tensors.ts'

/** Throws MODEL_UNSUPPORTED for what exact-1 does not have and MODEL_BAD_CONFIG for values that are missing or over a bound. */
export function configFromGguf(fields: GgufFields, parts: GgufParts): ModelConfig {
  const { all, family, of } = fields
  refuseOptions(fields)
  const sizes = readSizes(fields, parts.tensors)
  const { extras, ...attention } = readAttention(fields, sizes, parts)
  const config: ModelConfig = {
    family: family === 'llama' && attention.slidingWindow !== undefined ? 'mistral' : family,
    ...sizes,
    normEpsilon: decimal(all.number(of('attention.layer_norm_rms_epsilon'), { min: 1e-12, max: 1 })),
    ...attention,
    queryKeyValueBias: family === 'qwen2',
    queryKeyNorm: family === 'qwen3' || family === 'gemma3',
    tiedHead: !parts.tensors.has(HEAD_NAME),
    beginToken: parts.beginToken,
    endTokens: parts.endTokens,
  }
  const differing = differingExtras({ headSize: sizes.headSize, extras })
  return differing === undefined ? config : { ...config, extras: differing }
}

function refuseOptions({ all, of }: GgufFields): void {
  if (all.has(of('expert_count')) && all.integer(of('expert_count'), { min: 0, max: 1_024 }) > 0) {
    throw unsupportedGguf('mixtures of experts', 'Choose a dense model')
  }
  if (all.has(of('attention.causal')) && !all.flag(of('attention.causal'))) {
    throw unsupportedGguf('attention to later positions', 'Choose a model that generates text')
  }
  if (all.has(of('tensor_data_layout')) && all.text(of('tensor_data_layout')) !== 'Meta AI original pth') {
    throw unsupportedGguf('this order of rows', 'Import the safetensors of this model')
  }
}

function readSizes({ all, of }: GgufFields, tensors: GgufParts['tensors']): ModelSizes {
  const size = (key: string, max: number): number => all.integer(of(key), { min: 1, max })
  const hiddenSize = size('embedding_length', MODEL_LIMITS.hiddenMax)
  const headCount = size('attention.head_count', MODEL_LIMITS.headsMax)
  const keyValueHeadCount = all.has(of('attention.head_count_kv'))
    ? size('attention.head_count_kv', headCount)
    : headCount
  if (headCount % keyValueHeadCount !== 0) throw badGguf('its query heads are no multiple of its key heads')
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
  if (headCount * sizes.headSize > MODEL_LIMITS.intermediateMax) throw badGguf('the heads together are too wide')
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
  if (rows > MODEL_LIMITS.vocabularyMax) throw badGguf(`its vocabulary of ${rows} is over the bound`)
  return rows
}

function readHeadSize({ all, of }: Pick<GgufFields, 'all' | 'of'>, share: number): number {
  const optional = (key: string): number | undefined =>
    all.has(of(key)) ? all.integer(of(key), { min: 2, max: MODEL_LIMITS.hiddenMax }) : undefined
  const headSize = optional('attention.key_length') ?? share
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) throw badGguf('its head size is no even number')
  const valueSize = optional('attention.value_length')
  if (valueSize !== undefined && valueSize !== headSize) {
    throw unsupportedGguf(
      `${of('attention.value_length')} of ${valueSize} with heads of ${headSize}`,
      'They must be equal',
    )
  }
  return headSize
}
