/**
 * The GGUF files that llama.cpp's converter makes of the models of families.ts. Names, order of rows and metadata are from its code, not from ours.
 * @module
 */
import { architecture, type Config, familyTensors, type TinyFamily } from './families.ts'
import { type Entry, type GgufPart, ggufBytes, ropeFactors } from './gguf-file.ts'
import type { SourceTensor } from './hugging-face-folder.ts'

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
