/**
 * config.json and generation_config.json of a Hugging Face folder to a ModelConfig. What exact-1 does not
 * compute is refused by name, never ignored. Defaults of absent fields are those of `transformers`.
 * Knows no files; rope and window are in huggingface-attention.ts, names of tensors in huggingface-tensors.ts.
 * Spec: docs/spec/model.md §1.
 * @module
 */
import { ENGINE_LIMITS, MODEL_LIMITS } from '../base/limits.ts'
import type { ModelConfig, ModelFamily, ModelSizes } from './config.ts'
import { differingExtras } from './extras.ts'
import { readRope, readWindows } from './huggingface-attention.ts'
import {
  badConfig,
  isGemma,
  readFamily,
  readFamilyExtras,
  readUnrotatedLayers,
  refuseStrangers,
  unsupported,
} from './huggingface-families.ts'
import { type JsonFields, readFields } from './json-fields.ts'
import type { GenerationDefaults } from './manifest.ts'
import { ModelError } from './model-error.ts'

const QWEN3_HEAD_SIZE = 128
const END_TOKENS_MAX = 64

/**
 * The model that the parsed JSON describes. Throws MODEL_UNSUPPORTED for what exact-1 does not have and
 * MODEL_BAD_CONFIG for values that are missing, malformed or over a bound.
 */
export function configFromHuggingFace(configJson: unknown, generationJson?: unknown): ModelConfig {
  const { family, fields } = familyOf(configJson)
  refuseOptions(fields, family)
  const sizes = readSizes(fields, family)
  const vocabulary = { min: 0, max: sizes.vocabularySize - 1 }
  const generation = generationJson === undefined ? undefined : readFields(generationJson, badGeneration)
  const rope = readRope(fields, { family, ...sizes })
  const windows = readWindows(fields, { family, ...sizes })
  const extras = {
    ...readFamilyExtras(fields, { family, ...sizes }),
    ...rope.extras,
    ...windows.extras,
    unrotatedLayers: readUnrotatedLayers(fields, family, sizes.layerCount),
  }
  const config: ModelConfig = {
    family,
    ...sizes,
    normEpsilon: fields.has('rms_norm_eps') ? fields.number('rms_norm_eps', { min: 1e-12, max: 1 }) : 1e-6,
    ropeTheta: rope.ropeTheta,
    ropeScaling: rope.ropeScaling,
    slidingWindow: windows.slidingWindow,
    queryKeyValueBias: family === 'qwen2',
    queryKeyNorm: family === 'qwen3' || family === 'gemma3',
    tiedHead: flagOr(fields, 'tie_word_embeddings', false),
    beginToken: fields.has('bos_token_id') ? fields.integer('bos_token_id', vocabulary) : undefined,
    endTokens: readEndTokens([fields, generation], vocabulary.max),
  }
  const differing = differingExtras({ headSize: sizes.headSize, extras })
  return differing === undefined ? config : { ...config, extras: differing }
}

/** Whether the model has parts for images, which an import leaves out. */
export function hasImageParts(configJson: unknown): boolean {
  return familyOf(configJson).hasImages
}

function familyOf(configJson: unknown): ReturnType<typeof readFamily> {
  const read = (value: unknown): JsonFields => readFields(value, badConfig)
  return readFamily(read(configJson), read)
}

/** Sampling defaults of generation_config.json. Throws MODEL_BAD_CONFIG for values that no sampler takes. */
export function generationFromHuggingFace(generationJson: unknown): GenerationDefaults {
  const fields = readFields(generationJson, badGeneration)
  const optional = (key: string, max: number): number | undefined =>
    fields.has(key) ? fields.number(key, { min: 0, max }) : undefined
  const greedy = fields.has('do_sample') && !fields.flag('do_sample')
  const temperature = greedy ? 0 : optional('temperature', 100)
  const topK = fields.has('top_k') ? fields.integer('top_k', { min: 0, max: MODEL_LIMITS.vocabularyMax }) : undefined
  const topP = optional('top_p', 1)
  const minP = optional('min_p', 1)
  const penalty = optional('repetition_penalty', 100)
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    // Zero would keep no token; transformers' own checks refuse it as well.
    ...(topP === undefined || topP === 0 ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
    ...(penalty === undefined || penalty === 0 ? {} : { repetitionPenalty: penalty }),
  }
}

function refuseOptions(fields: JsonFields, family: ModelFamily): void {
  refuseActivation(fields, family)
  refuseStrangers(fields, family)
  if (fields.has('quantization_config')) {
    throw unsupported('weights that are quantised already', 'Import the F32, F16 or BF16 weights of this model instead')
  }
  for (const key of ['mlp_bias', ...(family === 'qwen2' ? [] : ['attention_bias'])]) {
    if (flagOr(fields, key, false)) throw unsupported(`${key} for ${family} models`, 'Choose a model without it')
  }
}

function refuseActivation(fields: JsonFields, family: ModelFamily): void {
  const text = (key: string, absent: string): string => (fields.has(key) ? fields.text(key) : absent)
  // Gemma's first configs name another activation in hidden_act, which transformers does not use.
  const activation = isGemma(family) ? text('hidden_activation', 'gelu_pytorch_tanh') : text('hidden_act', 'silu')
  const known = isGemma(family) ? ['gelu_pytorch_tanh'] : ['silu', 'swish']
  if (!known.includes(activation)) throw unsupported(`the activation ${activation}`, `It takes ${known[0]}`)
}

function readSizes(fields: JsonFields, family: ModelFamily): ModelSizes {
  const size = (key: string, max: number): number => fields.integer(key, { min: 1, max })
  const hiddenSize = size('hidden_size', MODEL_LIMITS.hiddenMax)
  const headCount = size('num_attention_heads', MODEL_LIMITS.headsMax)
  const keyValueHeadCount = fields.has('num_key_value_heads') ? size('num_key_value_heads', headCount) : headCount
  if (headCount % keyValueHeadCount !== 0) {
    throw badConfig(`num_attention_heads (${headCount}) is no multiple of num_key_value_heads (${keyValueHeadCount})`)
  }
  const sizes = {
    hiddenSize,
    layerCount: size('num_hidden_layers', MODEL_LIMITS.layersMax),
    headCount,
    keyValueHeadCount,
    headSize: readHeadSize(fields, family, hiddenSize / headCount),
    intermediateSize: size('intermediate_size', MODEL_LIMITS.intermediateMax),
    vocabularySize: size('vocab_size', MODEL_LIMITS.vocabularyMax),
    contextLength: size('max_position_embeddings', MODEL_LIMITS.contextMax),
  }
  // The fan-in of the attention output; the bound of exact sums is the same as for the feed-forward.
  if (headCount * sizes.headSize > MODEL_LIMITS.intermediateMax) throw badConfig('the heads together are too wide')
  return sizes
}

function readHeadSize(fields: JsonFields, family: ModelFamily, share: number): number {
  if (fields.has('head_dim')) return even(fields.integer('head_dim', { min: 2, max: MODEL_LIMITS.hiddenMax }))
  if (family === 'qwen3') return QWEN3_HEAD_SIZE
  if (!Number.isInteger(share)) throw badConfig('hidden_size is no multiple of num_attention_heads')
  return even(share)
}

function even(headSize: number): number {
  if (headSize % 2 !== 0)
    throw badConfig(`the head size ${headSize} is odd, so rotary positions cannot pair its halves`)
  if (headSize > ENGINE_LIMITS.headSizeMax)
    throw badConfig(`the head size ${headSize} is over ${ENGINE_LIMITS.headSizeMax}, which engines have room for`)
  return headSize
}

/** Union of both files' eos_token_id, each a number or a list, in order of appearance. */
function readEndTokens(sources: readonly (JsonFields | undefined)[], max: number): number[] {
  const found: number[] = []
  for (const fields of sources) {
    const value = fields?.raw('eos_token_id')
    if (value === undefined) continue
    for (const id of Array.isArray(value) ? value : [value]) {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > max) {
        throw badConfig(`eos_token_id must hold token ids from 0 to ${max}`)
      }
      if (!found.includes(id)) found.push(id)
    }
  }
  if (found.length > END_TOKENS_MAX) throw badConfig(`eos_token_id lists more than ${END_TOKENS_MAX} tokens`)
  return found
}

function flagOr(fields: JsonFields, key: string, absent: boolean): boolean {
  return fields.has(key) ? fields.flag(key) : absent
}

function badGeneration(problem: string): ModelError {
  return new ModelError('MODEL_BAD_CONFIG', `generation_config.json cannot be used: ${problem}.`)
}
