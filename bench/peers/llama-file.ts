/**
 * A GGUF file of a llama model with random weights, for llama.cpp: all matrices in Q8_0 or Q4_0, the head too, and a tokenizer of as many words as the
 * vocabulary has. Random weights measure speed only. Formats: ggml's block_q8_0 and block_q4_0 (an f16 scale, then 32 bytes or 16).
 * @module
 */
import { writeFile } from 'node:fs/promises'
import type { ModelConfig } from '../../src/ml/config.ts'
import { type Entry, type GgufPart, ggufBytes } from '../../test/unit/app/gguf-file.ts'

export type LlamaFormat = 'Q8_0' | 'Q4_0'

/** `ggml_type`, bytes of a block, deviation of the block's integers. */
const BLOCKS = {
  Q8_0: { type: 8, bytes: 34, deviation: 73.6 },
  Q4_0: { type: 2, bytes: 18, deviation: 4.6 },
} as const
const BLOCK_WEIGHTS = 32
const SCALE_BYTES = 2
const F32 = 0
/** `llama_token_type`: a word, an unknown one, a control word, a byte. */
const WORD = 1
const UNKNOWN = 2
const CONTROL = 3
const BYTE = 6
const BYTES_FROM = 3

export async function writeLlamaFile(path: string, config: ModelConfig, format: LlamaFormat): Promise<void> {
  const tensors = tensorsOf(config, format)
  await writeFile(path, ggufBytes({ metadata: metadataOf(config), tensors }), { mode: 0o600 })
}

function metadataOf(config: ModelConfig): Map<string, Entry> {
  const { vocabularySize } = config
  const words = Array.from({ length: vocabularySize }, (_, token) => wordOf(token))
  return new Map<string, Entry>([
    ['general.architecture', ['text', 'llama']],
    ['general.name', ['text', 'random']],
    ['llama.block_count', ['u32', config.layerCount]],
    ['llama.context_length', ['u32', config.contextLength]],
    ['llama.embedding_length', ['u32', config.hiddenSize]],
    ['llama.feed_forward_length', ['u32', config.intermediateSize]],
    ['llama.attention.head_count', ['u32', config.headCount]],
    ['llama.attention.head_count_kv', ['u32', config.keyValueHeadCount]],
    ['llama.attention.layer_norm_rms_epsilon', ['f32', config.normEpsilon]],
    ['llama.rope.dimension_count', ['u32', config.headSize]],
    ['llama.rope.freq_base', ['f32', config.ropeTheta]],
    ['llama.vocab_size', ['u32', vocabularySize]],
    ['tokenizer.ggml.model', ['text', 'llama']],
    ['tokenizer.ggml.tokens', ['list', 'text', words.map(({ text }) => text)]],
    ['tokenizer.ggml.scores', ['list', 'f32', words.map((_, token) => -token)]],
    ['tokenizer.ggml.token_type', ['list', 'i32', words.map(({ type }) => type)]],
    ['tokenizer.ggml.bos_token_id', ['u32', 1]],
    ['tokenizer.ggml.eos_token_id', ['u32', 2]],
    ['tokenizer.ggml.unknown_token_id', ['u32', 0]],
  ])
}

function wordOf(token: number): { readonly text: string; readonly type: number } {
  if (token === 0) return { text: '<unk>', type: UNKNOWN }
  if (token < BYTES_FROM) return { text: token === 1 ? '<s>' : '</s>', type: CONTROL }
  const byte = token - BYTES_FROM
  if (byte > 0xff) return { text: `word${token}`, type: WORD }
  return { text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, type: BYTE }
}

function tensorsOf(config: ModelConfig, format: LlamaFormat): Map<string, GgufPart> {
  const { hiddenSize: hidden, intermediateSize: wide, headSize, vocabularySize } = config
  const blocks = randomBlocks(format, (vocabularySize * Math.max(hidden, wide)) / BLOCK_WEIGHTS, hidden)
  const { type, bytes } = BLOCKS[format]
  const norm: GgufPart = { type: F32, shape: [hidden], data: new Uint8Array(new Float32Array(hidden).fill(1).buffer) }
  const matrix = (columns: number, rows: number): GgufPart => {
    return { type, shape: [columns, rows], data: blocks.subarray(0, ((columns * rows) / BLOCK_WEIGHTS) * bytes) }
  }
  const queries = config.headCount * headSize
  const keys = config.keyValueHeadCount * headSize
  const tensors = new Map<string, GgufPart>([['token_embd.weight', matrix(hidden, vocabularySize)]])
  for (let layer = 0; layer < config.layerCount; layer++) {
    const parts: readonly (readonly [string, GgufPart])[] = [
      ['attn_norm', norm],
      ['attn_q', matrix(hidden, queries)],
      ['attn_k', matrix(hidden, keys)],
      ['attn_v', matrix(hidden, keys)],
      ['attn_output', matrix(queries, hidden)],
      ['ffn_norm', norm],
      ['ffn_gate', matrix(hidden, wide)],
      ['ffn_up', matrix(hidden, wide)],
      ['ffn_down', matrix(wide, hidden)],
    ]
    for (const [name, part] of parts) tensors.set(`blk.${layer}.${name}.weight`, part)
  }
  tensors.set('output_norm.weight', norm)
  tensors.set('output.weight', matrix(hidden, vocabularySize))
  return tensors
}

/** Marsaglia's xorshift32; the scales make rows of `columns` values with a norm of about one. */
function randomBlocks(format: LlamaFormat, count: number, columns: number): Uint8Array {
  const { bytes, deviation } = BLOCKS[format]
  const data = new Uint8Array(Math.ceil((count * bytes) / 4) * 4)
  const words = new Uint32Array(data.buffer)
  let state = 0x9e3779b9
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  const scale = halfBits(1 / (deviation * Math.sqrt(columns)))
  const view = new DataView(data.buffer)
  for (let at = 0; at + SCALE_BYTES <= data.length; at += bytes) view.setUint16(at, scale, true)
  return data
}

/** A small positive normal number as f16, cut off. */
function halfBits(value: number): number {
  const exponent = Math.floor(Math.log2(value))
  return ((exponent + 15) << 10) | Math.floor((value / 2 ** exponent - 1) * 1_024)
}
