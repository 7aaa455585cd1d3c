/**
 * Names and shapes of tensors in Hugging Face files of the Llama family, by our own names.
 * Spec: docs/spec/model.md §2.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { ModelConfig } from './config.ts'
import { type FusedTensors, fusedPlace } from './fused-tensors.ts'
import { isGemma } from './huggingface-families.ts'
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
  attentionOutputNorm: 'post_attention_layernorm.weight',
  feedForwardNorm: 'post_attention_layernorm.weight',
  gate: 'mlp.gate_proj.weight',
  up: 'mlp.up_proj.weight',
  down: 'mlp.down_proj.weight',
  feedForwardOutputNorm: 'post_feedforward_layernorm.weight',
}

const FUSED: FusedTensors = [
  ['self_attn.qkv_proj.weight', ['query', 'key', 'value']],
  ['mlp.gate_up_proj.weight', ['gate', 'up']],
]

/** Where one of our tensors lies in the files. */
export interface SourceTensor {
  readonly name: string
  /** Rows of the file's tensor, and the first of them that is ours. */
  readonly rows: number
  readonly firstRow: number
  /** Added to each value: Gemma's gains are there less one. */
  readonly offset: 0 | 1
}

export function sourceTensor(plan: TensorPlan, config: ModelConfig): SourceTensor {
  const [, layer, part] = plan.name.split('.')
  const offset = isGemma(config.family) && plan.kind === 'vector' ? 1 : 0
  const place = part === undefined ? undefined : fusedPlace(part as LayerPart, FUSED, config)
  if (place === undefined) return { name: huggingFaceName(plan.name, config), rows: plan.rows, firstRow: 0, offset }
  return { name: `model.layers.${layer}.${place.suffix}`, rows: place.rows, firstRow: place.firstRow, offset }
}

type NamingConfig = Pick<ModelConfig, 'family' | 'tiedHead'>

/** Name in the files of our tensor `name`, where it is one of its own. A tied head is the embedding. */
export function huggingFaceName(name: string, config: NamingConfig): string {
  if (name === EMBEDDING) return EMBEDDING_NAME
  if (name === HEAD) return config.tiedHead ? EMBEDDING_NAME : 'lm_head.weight'
  if (name === OUTPUT_NORM) return 'model.norm.weight'
  const [, layer, part] = name.split('.')
  const suffix = suffixOf(part as LayerPart, config)
  assert(layer !== undefined && suffix !== undefined, `unknown tensor ${name}`)
  return `model.layers.${layer}.${suffix}`
}

function suffixOf(part: LayerPart, { family }: NamingConfig): string {
  // Families with norms after attention have that name for one of them.
  const hasOutputNorms = family === 'gemma2' || family === 'gemma3'
  return part === 'feedForwardNorm' && hasOutputNorms ? 'pre_feedforward_layernorm.weight' : PARTS[part]
}

/** Our name for a tensor of models that see images too, where the text part has a name of its own in it. */
export function textName(name: string): string {
  return name
    .replace(/^(?:model\.language_model|language_model\.model)\./, 'model.')
    .replace(/^language_model\.lm_head\./, 'lm_head.')
}

/**
 * Checks one tensor of a file, of so many rows, against the plan. Returns its dtype.
 * Throws WEIGHTS_BAD_SHAPE or WEIGHTS_BAD_DTYPE.
 */
export function checkSourceTensor(plan: TensorPlan, found: SafetensorsTensor, rows: number = plan.rows): WeightDtype {
  const wanted = plan.kind === 'vector' ? [rows] : [rows, plan.columns]
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

const IMAGE_PARTS = /^(?:model\.)?(?:vision_tower|vision_model|multi_modal_projector)\./

/**
 * A tensor that carries nothing: old exports store the rotary frequencies, which follow from the config. Parts for images are those of a model
 * that sees them; text is computed without.
 */
export function isIgnorable(name: string, config: NamingConfig): boolean {
  if (name === 'lm_head.weight') return config.tiedHead
  if (config.family === 'gemma3' || config.family === 'mistral') return IMAGE_PARTS.test(name) || isFrequencies(name)
  return isFrequencies(name)
}

function isFrequencies(name: string): boolean {
  return /(^|\.)rotary_emb\.inv_freq$/.test(name)
}
