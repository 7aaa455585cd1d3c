/**
 * Names and shapes of tensors in Hugging Face files of the Llama family, by our own names.
 * Spec: docs/spec/model.md §2.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { ModelConfig } from './config.ts'
import { ModelError } from './model-error.ts'
import type { SafetensorsTensor, WeightDtype } from './safetensors.ts'
import { WEIGHT_DTYPES } from './safetensors.ts'
import { EMBEDDING, HEAD, type LayerPart, OUTPUT_NORM, type TensorPlan } from './tensors.ts'

const EMBEDDING_NAME = 'model.embed_tokens.weight'

const PARTS: Readonly<Record<LayerPart, string>> = {
  attentionNorm: 'input_layernorm.weight',
  query: 'self_attn.q_proj.weight',
  key: 'self_attn.k_proj.weight',
  value: 'self_attn.v_proj.weight',
  queryBias: 'self_attn.q_proj.bias',
  keyBias: 'self_attn.k_proj.bias',
  valueBias: 'self_attn.v_proj.bias',
  queryNorm: 'self_attn.q_norm.weight',
  keyNorm: 'self_attn.k_norm.weight',
  attentionOutput: 'self_attn.o_proj.weight',
  feedForwardNorm: 'post_attention_layernorm.weight',
  gate: 'mlp.gate_proj.weight',
  up: 'mlp.up_proj.weight',
  down: 'mlp.down_proj.weight',
}

/** Name in the files of our tensor `name`. A tied head is the embedding. */
export function huggingFaceName(name: string, config: Pick<ModelConfig, 'tiedHead'>): string {
  if (name === EMBEDDING) return EMBEDDING_NAME
  if (name === HEAD) return config.tiedHead ? EMBEDDING_NAME : 'lm_head.weight'
  if (name === OUTPUT_NORM) return 'model.norm.weight'
  const [, layer, part] = name.split('.')
  const suffix = PARTS[part as LayerPart]
  assert(layer !== undefined && suffix !== undefined, `unknown tensor ${name}`)
  return `model.layers.${layer}.${suffix}`
}

/**
 * Checks one tensor of a file against the plan. Returns its dtype.
 * Throws WEIGHTS_BAD_SHAPE or WEIGHTS_BAD_DTYPE.
 */
export function checkSourceTensor(plan: TensorPlan, found: SafetensorsTensor): WeightDtype {
  const wanted = plan.kind === 'vector' ? [plan.rows] : [plan.rows, plan.columns]
  if (wanted.join() !== found.shape.join()) {
    throw new ModelError(
      'WEIGHTS_BAD_SHAPE',
      `Tensor ${found.name} has shape [${found.shape.join(', ')}], but config.json asks for [${wanted.join(', ')}].`,
    )
  }
  const dtype = WEIGHT_DTYPES.find((known) => known === found.dtype)
  if (dtype === undefined) {
    throw new ModelError(
      'WEIGHTS_BAD_DTYPE',
      `Tensor ${found.name} is ${found.dtype}; weights must be ${WEIGHT_DTYPES.join(', ')}. Import an unquantised copy.`,
    )
  }
  return dtype
}

/** A tensor that carries nothing: old exports store the rotary frequencies, which follow from the config. */
export function isIgnorable(name: string, config: Pick<ModelConfig, 'tiedHead'>): boolean {
  if (name === 'lm_head.weight') return config.tiedHead
  return /(^|\.)rotary_emb\.inv_freq$/.test(name)
}
