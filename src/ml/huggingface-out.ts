/**
 * What a folder in Hugging Face's layout says of a model: config.json and the names of its tensors, the reverse of huggingface.ts.
 * Spec: docs/spec/model.md §1, docs/spec/float.md §4.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import type { ModelConfig, ModelFamily, RopeScaling } from './config.ts'
import { dequantizeRows } from './dequantize.ts'
import { architectureName } from './huggingface-families.ts'
import { huggingFaceName } from './huggingface-tensors.ts'
import { ModelError } from './model-error.ts'
import { HEAD, tensorPlan, type WeightSource } from './tensors.ts'

/** Families that are trained here. */
const KNOWN: readonly ModelFamily[] = ['llama', 'mistral', 'qwen2', 'qwen3']

/** config.json; `configFromHuggingFace` of it is the config again. Throws MODEL_UNSUPPORTED. */
export function huggingFaceConfig(config: ModelConfig): Record<string, unknown> {
  const { family, slidingWindow, ropeScaling } = config
  if (!KNOWN.includes(family) || config.extras !== undefined) {
    throw new ModelError(
      'MODEL_UNSUPPORTED',
      `This program does not write ${family} models. It writes ${KNOWN.join(', ')}.`,
    )
  }
  const isQwen = family === 'qwen2' || family === 'qwen3'
  return {
    architectures: [architectureName(family)],
    model_type: family,
    hidden_act: 'silu',
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layerCount,
    num_attention_heads: config.headCount,
    num_key_value_heads: config.keyValueHeadCount,
    head_dim: config.headSize,
    intermediate_size: config.intermediateSize,
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    rope_scaling: ropeFields(ropeScaling),
    ...(family === 'mistral' ? { sliding_window: slidingWindow ?? null } : {}),
    ...(isQwen && slidingWindow !== undefined
      ? { use_sliding_window: true, sliding_window: slidingWindow, max_window_layers: 0 }
      : {}),
    tie_word_embeddings: config.tiedHead,
    ...(config.beginToken === undefined ? {} : { bos_token_id: config.beginToken }),
    ...(config.endTokens.length === 0 ? {} : { eos_token_id: config.endTokens }),
    torch_dtype: 'float32',
  }
}

function ropeFields(scaling: RopeScaling): Record<string, unknown> | null {
  switch (scaling.type) {
    case 'none':
      return null
    case 'linear':
      return { rope_type: 'linear', factor: scaling.factor }
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalContextLength,
      }
    case 'yarn':
      return {
        rope_type: 'yarn',
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalContextLength,
        beta_fast: scaling.fastRotations,
        beta_slow: scaling.slowRotations,
        attention_factor: scaling.attentionFactor,
      }
    case 'longrope':
      return unreachable('of a family that is not written' as never)
    default:
      return unreachable(scaling)
  }
}

/** One tensor of a safetensors file, F32. */
export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** All tensors of a model whose matrices are f32, by the names of such folders; a tied head once. */
export function huggingFaceTensors(config: ModelConfig, weights: WeightSource): NamedTensor[] {
  const range = { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: true }
  return tensorPlan(config, range)
    .filter(({ name }) => name !== HEAD || !config.tiedHead)
    .map(({ name, kind, rows, columns }) => {
      const shape = kind === 'vector' ? [rows] : [rows, columns]
      return { name: huggingFaceName(name, config), shape, values: floats(kind, name, weights) }
    })
}

function floats(kind: 'matrix' | 'vector', name: string, weights: WeightSource): Float32Array {
  if (kind === 'vector') return weights.vector(name)
  const matrix = weights.matrix(name)
  return matrix.format === 'f32' ? matrix.values : dequantizeRows(matrix)
}
