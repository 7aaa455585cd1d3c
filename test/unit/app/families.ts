/**
 * One tiny model of each family, with random weights from a seed: the folder that Hugging Face has, and the GGUF file that llama.cpp's converter
 * makes of it. Names, order of rows and metadata are from their code, not from ours.
 * @module
 */
import { generator } from '../../contract/random-model.ts'
import { type Entry, type GgufPart, ggufBytes, ropeFactors } from './gguf-file.ts'
import { type Files, type SourceTensor, safetensors, type Tensors } from './hugging-face-folder.ts'

type Config = Readonly<Record<string, unknown>>

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
function familyTensors(config: Config): Tensors {
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

function architecture(config: Config): string {
  return ARCHITECTURES[(config['architectures'] as string[])[0]!]!
}

/** The bytes of the GGUF file. */
export function tinyFamilyGguf({ config, gguf }: TinyFamily): Uint8Array {
  const name = architecture(config)
  const tensors = new Map<string, GgufPart>()
  for (const [key, tensor] of familyTensors(config)) {
    tensors.set(ggufName(key, name), {
      type: 0,
      shape: [...tensor.shape].reverse(),
      data: converted(key, tensor, config),
    })
  }
  const scaling = config['rope_scaling'] as Record<string, unknown> | undefined
  if (scaling?.['rope_type'] === 'llama3') tensors.set('rope_freqs.weight', ropeFactors(config))
  for (const kind of ['short', 'long']) {
    const factors = scaling?.[`${kind}_factor`] as number[] | undefined
    if (factors === undefined) continue
    const data = new Uint8Array(Float32Array.from(factors).buffer)
    tensors.set(`rope_factors_${kind}.weight`, { type: 0, shape: [factors.length], data })
  }
  return ggufBytes({ metadata: metadataOf(config, gguf), tensors })
}

const NAMES: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
}

function ggufName(key: string, name: string): string {
  if (key === 'model.embed_tokens.weight') return 'token_embd.weight'
  if (key === 'model.norm.weight') return 'output_norm.weight'
  if (key === 'lm_head.weight') return 'output.weight'
  const [, layer, part] = /^model\.layers\.(\d+)\.(.*)\.weight$/.exec(key)!
  const isAfter = part === 'post_attention_layernorm' && (name === 'gemma2' || name === 'gemma3')
  return `blk.${layer}.${isAfter ? 'post_attention_norm' : NAMES[part!]}.weight`
}

/** Gemma's gains with the one that they lack; queries and keys of llama's kin with the halves of heads interleaved. */
function converted(key: string, { shape, data }: SourceTensor, config: Config): Uint8Array {
  const name = architecture(config)
  const values = new Float32Array(data.slice().buffer)
  if (name.startsWith('gemma') && shape.length === 1) return new Uint8Array(values.map((value) => value + 1).buffer)
  const isRotated = /\.(?:q|k)_proj\.weight$/.test(key) && (name === 'llama' || name === 'smollm3')
  if (!isRotated) return data
  const [rows, columns] = shape as [number, number]
  const size = config['head_dim'] as number
  const out = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    const within = row % size
    const to = row - within + 2 * (within % (size / 2)) + Math.floor(within / (size / 2))
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns)
  }
  return new Uint8Array(out.buffer)
}

function metadataOf(config: Config, more: TinyFamily['gguf']): Map<string, Entry> {
  const name = architecture(config)
  const u32 = (key: string): Entry => ['u32', config[key] as number]
  return new Map<string, Entry>([
    ['general.architecture', ['text', name]],
    ['general.file_type', ['u32', 0]],
    [`${name}.block_count`, u32('num_hidden_layers')],
    [`${name}.context_length`, u32('max_position_embeddings')],
    [`${name}.embedding_length`, u32('hidden_size')],
    [`${name}.feed_forward_length`, u32('intermediate_size')],
    [`${name}.attention.head_count`, u32('num_attention_heads')],
    [`${name}.attention.head_count_kv`, u32('num_key_value_heads')],
    [`${name}.attention.layer_norm_rms_epsilon`, ['f32', config['rms_norm_eps'] as number]],
    [`${name}.attention.key_length`, u32('head_dim')],
    [`${name}.attention.value_length`, u32('head_dim')],
    [`${name}.rope.freq_base`, ['f32', config['rope_theta'] as number]],
    ...more.map(([key, entry]) => [`${name}.${key}`, entry] as const),
    ...vocabulary(config['vocab_size'] as number),
  ])
}

/** SentencePiece's kinds of tokens: unknown, control, byte, and words. */
function vocabulary(size: number): [string, Entry][] {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const words = ['▁', ...'abcdefghijklmnopqrstuvwxyz.,?!-']
  const pairs = [...'aeiou'].flatMap((letter) => [`▁${letter}`, `${letter}n`])
  const texts = ['<unk>', '<s>', '</s>', ...bytes, ...words, ...pairs].slice(0, size)
  const filled = [...texts, ...Array.from({ length: size - texts.length }, (_, index) => `<extra_${index}>`)]
  const kinds = filled.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : id < texts.length ? 1 : 4))
  return [
    ['tokenizer.ggml.model', ['text', 'llama']],
    ['tokenizer.ggml.tokens', ['list', 'text', filled]],
    ['tokenizer.ggml.scores', ['list', 'f32', filled.map((_, id) => (id < 259 ? 0 : -id))]],
    ['tokenizer.ggml.token_type', ['list', 'i32', kinds]],
    ['tokenizer.ggml.bos_token_id', ['u32', 1]],
    ['tokenizer.ggml.eos_token_id', ['u32', 2]],
    ['tokenizer.ggml.unknown_token_id', ['u32', 0]],
    ['tokenizer.ggml.add_bos_token', ['flag', true]],
  ]
}

/** What the models are asked: more positions than their windows have. */
export const FAMILY_TOKENS: readonly number[] = Array.from({ length: 24 }, (_, index) =>
  index === 0 ? 1 : 3 + ((index * 89) % 290),
)
