/**
 * One tiny model of each family, with random weights from a seed, in the folder that Hugging Face has of it. Names and shapes are
 * from transformers' code, not from ours.
 * @module
 */
import { generator } from '../../contract/random-model.ts'
import type { Entry } from './gguf-file.ts'
import { type Files, safetensors, type Tensors } from './hugging-face-folder.ts'

export type Config = Readonly<Record<string, unknown>>

export interface TinyFamily {
  readonly name: string
  readonly config: Config
  /** Keys of the architecture in GGUF files, beyond those that every family has. */
  readonly gguf: readonly (readonly [key: string, entry: Entry])[]
}

const BASE = {
  ...{ hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2 },
  ...{ head_dim: 16, vocab_size: 300, max_position_embeddings: 128, rms_norm_eps: 1e-5, rope_theta: 10_000 },
  ...{ bos_token_id: 1, eos_token_id: 2 },
}
const GEMMA = { ...BASE, hidden_activation: 'gelu_pytorch_tanh', rms_norm_eps: 1e-6, head_dim: 24 }
const PHI = { ...BASE, architectures: ['Phi3ForCausalLM'], model_type: 'phi3', partial_rotary_factor: 0.75 }
const SHORT = [1, 1.0625, 1.25, 1.5, 2, 2.5]
const LONG = [1.125, 1.5, 2, 4, 12.5, 40]

export const TINY_FAMILIES: readonly TinyFamily[] = [
  {
    name: 'llama-3',
    config: {
      ...{ ...BASE, architectures: ['LlamaForCausalLM'], rope_theta: 500_000 },
      rope_scaling: {
        ...{ rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
        original_max_position_embeddings: 64,
      },
    },
    gguf: [],
  },
  {
    name: 'qwen3-yarn',
    config: {
      ...{ ...BASE, architectures: ['Qwen3ForCausalLM'], max_position_embeddings: 256 },
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
    },
    gguf: [
      ['rope.scaling.type', ['text', 'yarn']],
      ['rope.scaling.factor', ['f32', 4]],
      ['rope.scaling.original_context_length', ['u32', 64]],
    ],
  },
  {
    name: 'gemma',
    config: { ...GEMMA, architectures: ['GemmaForCausalLM'], num_key_value_heads: 1 },
    gguf: [],
  },
  {
    name: 'gemma-2',
    config: {
      ...{ ...GEMMA, architectures: ['Gemma2ForCausalLM'], sliding_window: 8, query_pre_attn_scalar: 24 },
      ...{ attn_logit_softcapping: 2.5, final_logit_softcapping: 3 },
    },
    gguf: [
      ['attention.sliding_window', ['u32', 8]],
      ['attn_logit_softcapping', ['f32', 2.5]],
      ['final_logit_softcapping', ['f32', 3]],
    ],
  },
  {
    name: 'gemma-3',
    config: {
      ...{ ...GEMMA, architectures: ['Gemma3ForCausalLM'], num_hidden_layers: 7, sliding_window: 8 },
      ...{ query_pre_attn_scalar: 24, rope_theta: 1e6, rope_local_base_freq: 10_000, sliding_window_pattern: 6 },
      rope_scaling: { rope_type: 'linear', factor: 8 },
    },
    gguf: [
      ['attention.sliding_window', ['u32', 8]],
      ['rope.scaling.type', ['text', 'linear']],
      ['rope.scaling.factor', ['f32', 8]],
    ],
  },
  {
    name: 'phi-3',
    config: { ...BASE, architectures: ['Phi3ForCausalLM'], num_key_value_heads: 4, sliding_window: 2_047 },
    gguf: [
      ['attention.sliding_window', ['u32', 2_047]],
      ['rope.dimension_count', ['u32', 16]],
      ['rope.scaling.original_context_length', ['u32', 128]],
    ],
  },
  {
    name: 'phi-4-mini',
    config: {
      ...{ ...PHI, tie_word_embeddings: true, original_max_position_embeddings: 32 },
      rope_scaling: { type: 'longrope', short_factor: SHORT, long_factor: LONG },
    },
    gguf: [
      ['rope.dimension_count', ['u32', 12]],
      ['rope.scaling.original_context_length', ['u32', 32]],
      ['rope.scaling.attn_factor', ['f32', Math.sqrt(1 + Math.log(4) / Math.log(32))]],
    ],
  },
  {
    name: 'phi-4-mini-short',
    config: {
      ...{ ...PHI, max_position_embeddings: 256, original_max_position_embeddings: 256 },
      rope_scaling: { type: 'longrope', short_factor: SHORT, long_factor: LONG },
    },
    gguf: [
      ['rope.dimension_count', ['u32', 12]],
      ['rope.scaling.original_context_length', ['u32', 256]],
    ],
  },
  {
    name: 'smollm3',
    config: { ...BASE, architectures: ['SmolLM3ForCausalLM'], num_hidden_layers: 5, tie_word_embeddings: true },
    gguf: [],
  },
]

/** The files of a Hugging Face folder. */
export function tinyFamilyFiles({ config }: TinyFamily): Files {
  return { 'config.json': config, 'model.safetensors': safetensors(familyTensors(config)) }
}

/** The same model as the text part of one that sees images. */
export function withImages({ config }: TinyFamily): Files {
  const tensors: Tensors = new Map(
    [...familyTensors(config)].map(([name, tensor]) => [`language_model.${name}`, tensor]),
  )
  tensors.set('vision_tower.patch.weight', { dtype: 'F32', shape: [1], data: new Uint8Array(4) })
  tensors.set('multi_modal_projector.weight', { dtype: 'F32', shape: [1], data: new Uint8Array(4) })
  const { architectures: _text, ...text } = config
  const outer = { architectures: ['Gemma3ForConditionalGeneration'], eos_token_id: 2, vision_config: {} }
  return {
    'config.json': { ...outer, text_config: { ...text, model_type: 'gemma3_text' } },
    'model.safetensors': safetensors(tensors),
  }
}

/** Matrices are uniform, with products near the size of their input; gains are near those that change nothing. */
export function familyTensors(config: Config): Tensors {
  const tensors: Tensors = new Map()
  const isGemma = architecture(config).startsWith('gemma')
  const add = (name: string, ...shape: number[]): void => {
    const random = generator(7, tensors.size)
    const isGain = shape.length === 1
    const values = Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () =>
      isGain ? (isGemma ? 0 : 1) + random.real(0.3) : random.real(3 / Math.sqrt(shape[1]!)),
    )
    tensors.set(name, { dtype: 'F32', shape, data: new Uint8Array(values.buffer) })
  }
  const number = (key: string): number => config[key] as number
  const hidden = number('hidden_size')
  add('model.embed_tokens.weight', number('vocab_size'), hidden)
  for (let layer = 0; layer < number('num_hidden_layers'); layer++) {
    for (const [part, ...shape] of layerShapes(config)) add(`model.layers.${layer}.${part}.weight`, ...shape)
  }
  add('model.norm.weight', hidden)
  if (!isGemma && config['tie_word_embeddings'] !== true) add('lm_head.weight', number('vocab_size'), hidden)
  return tensors
}

function layerShapes(config: Config): readonly (readonly [string, ...number[]])[] {
  const number = (key: string): number => config[key] as number
  const [hidden, inner, size] = [number('hidden_size'), number('intermediate_size'), number('head_dim')]
  const [queries, keys] = [number('num_attention_heads') * size, number('num_key_value_heads') * size]
  const name = architecture(config)
  const isFused = name === 'phi3'
  const hasOutputNorms = name === 'gemma2' || name === 'gemma3'
  const hasHeadNorms = name === 'qwen3' || name === 'gemma3'
  return [
    ['input_layernorm', hidden],
    ...(isFused
      ? [['self_attn.qkv_proj', queries + 2 * keys, hidden] as const]
      : [
          ['self_attn.q_proj', queries, hidden] as const,
          ['self_attn.k_proj', keys, hidden] as const,
          ['self_attn.v_proj', keys, hidden] as const,
        ]),
    ...(hasHeadNorms ? [['self_attn.q_norm', size] as const, ['self_attn.k_norm', size] as const] : []),
    ['self_attn.o_proj', hidden, queries],
    ['post_attention_layernorm', hidden],
    ...(hasOutputNorms ? [['pre_feedforward_layernorm', hidden] as const] : []),
    ...(isFused
      ? [['mlp.gate_up_proj', 2 * inner, hidden] as const]
      : [['mlp.gate_proj', inner, hidden] as const, ['mlp.up_proj', inner, hidden] as const]),
    ['mlp.down_proj', hidden, inner],
    ...(hasOutputNorms ? [['post_feedforward_layernorm', hidden] as const] : []),
  ]
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  LlamaForCausalLM: 'llama',
  Qwen3ForCausalLM: 'qwen3',
  GemmaForCausalLM: 'gemma',
  Gemma2ForCausalLM: 'gemma2',
  Gemma3ForCausalLM: 'gemma3',
  Phi3ForCausalLM: 'phi3',
  SmolLM3ForCausalLM: 'smollm3',
}

export function architecture(config: Config): string {
  return ARCHITECTURES[(config['architectures'] as string[])[0]!]!
}

/** What the models are asked: more positions than their windows have. */
export const FAMILY_TOKENS: readonly number[] = Array.from({ length: 24 }, (_, index) =>
  index === 0 ? 1 : 3 + ((index * 89) % 290),
)
