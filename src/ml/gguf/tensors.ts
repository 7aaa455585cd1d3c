/**
 * Names of tensors in GGUF files by our own names, and the order of their rows. Spec: docs/spec/model.md §10.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig } from '../config.ts'
import { type FusedTensors, fusedPlace } from '../fused-tensors.ts'
import { ModelError } from '../model-error.ts'
import { EMBEDDING, HEAD, type LayerPart, OUTPUT_NORM, type TensorPlan } from '../tensors.ts'
import { BLOCK_NAMES, type BlockName, blockNameOf } from './blocks.ts'
import type { GgufTensor } from './header.ts'

export const EMBEDDING_NAME = 'token_embd.weight'
export const HEAD_NAME = 'output.weight'
/** What Llama 3 divides rotary frequencies by; part of the config, not of the weights. */
export const ROPE_FACTORS_NAME = 'rope_freqs.weight'
/** The two lists of Phi-3. */
export const SHORT_FACTORS_NAME = 'rope_factors_short.weight'
export const LONG_FACTORS_NAME = 'rope_factors_long.weight'

const PARTS: Readonly<Record<LayerPart, string>> = {
  attentionNorm: 'attn_norm.weight',
  query: 'attn_q.weight',
  key: 'attn_k.weight',
  value: 'attn_v.weight',
  queryBias: 'attn_q.bias',
  keyBias: 'attn_k.bias',
  valueBias: 'attn_v.bias',
  queryNorm: 'attn_q_norm.weight',
  keyNorm: 'attn_k_norm.weight',
  attentionOutput: 'attn_output.weight',
  attentionOutputNorm: 'post_attention_norm.weight',
  feedForwardNorm: 'ffn_norm.weight',
  gate: 'ffn_gate.weight',
  up: 'ffn_up.weight',
  down: 'ffn_down.weight',
  feedForwardOutputNorm: 'post_ffw_norm.weight',
}

const FUSED: FusedTensors = [
  ['attn_qkv.weight', ['query', 'key', 'value']],
  ['ffn_up.weight', ['gate', 'up']],
]

/** Where one of our tensors lies in the file. */
export interface GgufPlace {
  readonly name: string
  /** Rows of the file's tensor, and the first of them that is ours. */
  readonly rows: number
  readonly firstRow: number
}

export function ggufPlace(plan: TensorPlan, config: ModelConfig): GgufPlace {
  const [, layer, part] = plan.name.split('.')
  const place = part === undefined ? undefined : fusedPlace(part as LayerPart, FUSED, config)
  if (place === undefined) return { name: ggufName(plan.name, config), rows: plan.rows, firstRow: 0 }
  return { name: `blk.${layer}.${place.suffix}`, rows: place.rows, firstRow: place.firstRow }
}

/** Name in the file of our tensor `name`, where it is one of its own. A tied head is the embedding. */
function ggufName(name: string, config: Pick<ModelConfig, 'tiedHead'>): string {
  if (name === EMBEDDING) return EMBEDDING_NAME
  if (name === HEAD) return config.tiedHead ? EMBEDDING_NAME : HEAD_NAME
  if (name === OUTPUT_NORM) return 'output_norm.weight'
  const [, layer, part] = name.split('.')
  const suffix = PARTS[part as LayerPart]
  assert(layer !== undefined && suffix !== undefined, `unknown tensor ${name}`)
  return `blk.${layer}.${suffix}`
}

/** Checks one tensor of a file, of so many rows, against the plan. Returns its form. Throws WEIGHTS_BAD_SHAPE or WEIGHTS_BAD_DTYPE. */
export function checkGgufTensor(plan: TensorPlan, found: GgufTensor, rows: number = plan.rows): BlockName {
  const wanted = plan.kind === 'vector' ? [rows] : [plan.columns, rows]
  if (wanted.join() !== found.shape.join()) {
    throw new ModelError(
      'WEIGHTS_BAD_SHAPE',
      `Tensor ${found.name} has shape [${found.shape.join(', ')}], but the metadata ask for [${wanted.join(', ')}].`,
    )
  }
  const name = blockNameOf(found.type)
  if (name === undefined) {
    throw new ModelError(
      'WEIGHTS_BAD_DTYPE',
      `Tensor ${found.name} is ${found.type.name}; this program takes ${BLOCK_NAMES.join(', ')}. Choose another file of the model.`,
    )
  }
  return name
}

/** Whether the rows of this tensor are in the order of `permutedRow`. */
export function isPermuted(plan: Pick<TensorPlan, 'name'>, config: Pick<ModelConfig, 'family'>): boolean {
  const isLlama = config.family === 'llama' || config.family === 'mistral' || config.family === 'smollm3'
  return isLlama && /^layers\.\d+\.(?:query|key)$/.test(plan.name)
}

/**
 * Row in the file of our row `row`. Converters interleave the two halves of each query and key head of llama models, because llama.cpp
 * rotates neighbours there: row i of half a becomes row 2i + a of its head.
 */
export function permutedRow(row: number, headSize: number): number {
  const half = headSize / 2
  const within = row % headSize
  return row - within + 2 * (within % half) + Math.floor(within / half)
}
