/**
 * A tiny Hugging Face folder, written as the caller wants it broken: config, tensors, tokenizer.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SourceTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

export type Tensors = Map<string, SourceTensor>

export const TINY_CONFIG = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 16,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  bos_token_id: 0,
  eos_token_id: 1,
}

const VOCABULARY = ['<s>', '</s>', ...'abcdefghijklmn']

export const TINY_TOKENIZER = {
  added_tokens: VOCABULARY.slice(0, 2).map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: Object.fromEntries(VOCABULARY.map((text, id) => [text, id])), merges: [] },
}

export const TINY_TOKENIZER_CONFIG = { add_bos_token: true, bos_token: '<s>', eos_token: '</s>' }

/** F32 values that differ from tensor to tensor and need no generator. */
function values(shape: readonly number[], salt: number): Float32Array<ArrayBuffer> {
  const length = shape.reduce((product, size) => product * size, 1)
  return Float32Array.from({ length }, (_, index) => Math.fround((((index * 37 + salt * 101) % 97) - 48) / 64))
}

function f32(shape: readonly number[], salt: number): SourceTensor {
  return { dtype: 'F32', shape, data: new Uint8Array(values(shape, salt).buffer) }
}

/** The tensors of TINY_CONFIG as F32; every value is also an F16 and a BF16. */
export function tinyTensors(): Tensors {
  const tensors: Tensors = new Map()
  const add = (name: string, ...shape: number[]): void => {
    tensors.set(name, f32(shape, tensors.size))
  }
  add('model.embed_tokens.weight', 16, 8)
  for (const layer of [0, 1].map((index) => `model.layers.${index}`)) {
    add(`${layer}.input_layernorm.weight`, 8)
    add(`${layer}.self_attn.q_proj.weight`, 8, 8)
    add(`${layer}.self_attn.k_proj.weight`, 4, 8)
    add(`${layer}.self_attn.v_proj.weight`, 4, 8)
    add(`${layer}.self_attn.o_proj.weight`, 8, 8)
    add(`${layer}.post_attention_layernorm.weight`, 8)
    add(`${layer}.mlp.gate_proj.weight`, 12, 8)
    add(`${layer}.mlp.up_proj.weight`, 12, 8)
    add(`${layer}.mlp.down_proj.weight`, 8, 12)
  }
  add('model.norm.weight', 8)
  add('lm_head.weight', 16, 8)
  return tensors
}

/** The same values in two bytes; those of tinyTensors lose nothing. */
export function asHalves(tensor: SourceTensor, dtype: 'F16' | 'BF16'): SourceTensor {
  const words = new Uint32Array(tensor.data.slice().buffer)
  const halves = Uint16Array.from(words, (bits) => (dtype === 'BF16' ? bits >>> 16 : toHalf(bits)))
  return { ...tensor, dtype, data: new Uint8Array(halves.buffer) }
}

/** Normal F32 bits in the range of F16 as F16 bits. */
function toHalf(bits: number): number {
  if ((bits & 0x7fffffff) === 0) return bits >>> 16
  return ((bits >>> 16) & 0x8000) | ((((bits >>> 23) & 255) - 112) << 10) | ((bits >>> 13) & 1023)
}

/** The bytes of a safetensors file. `header` changes the header before it is written. */
export function safetensors(tensors: Tensors, header: (json: Record<string, unknown>) => void = () => {}): Uint8Array {
  const json: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const [name, { dtype, shape, data }] of tensors) {
    json[name] = { dtype, shape, data_offsets: [offset, offset + data.length] }
    offset += data.length
  }
  header(json)
  const text = new TextEncoder().encode(JSON.stringify(json))
  const bytes = new Uint8Array(8 + text.length + offset)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  let position = 8 + text.length
  for (const { data } of tensors.values()) {
    bytes.set(data, position)
    position += data.length
  }
  return bytes
}

/** Files by name; a value that is no bytes is written as JSON, undefined leaves the file out. */
export type Files = Record<string, unknown>

/** Everything that a complete folder has. */
export function tinyFiles(change: Files = {}): Files {
  return {
    'config.json': TINY_CONFIG,
    'model.safetensors': safetensors(tinyTensors()),
    'tokenizer.json': TINY_TOKENIZER,
    'tokenizer_config.json': TINY_TOKENIZER_CONFIG,
    ...change,
  }
}

/** Writes the files into a new folder below `parent` and returns its path. */
export function writeFolder(parent: string, files: Files, name = 'tiny'): string {
  const folder = join(parent, name)
  mkdirSync(folder, { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    if (content === undefined) continue
    writeFileSync(join(folder, file), content instanceof Uint8Array ? content : JSON.stringify(content))
  }
  return folder
}

/** The tensors with one of them changed, or left out where `change` gives undefined. */
export function changed(name: string, change: (tensor: SourceTensor) => SourceTensor | undefined): Tensors {
  const tensors = tinyTensors()
  const next = change(tensors.get(name)!)
  if (next === undefined) tensors.delete(name)
  else tensors.set(name, next)
  return tensors
}

/** A complete folder with these weights. */
export function weights(tensors: Tensors, header?: (json: Record<string, unknown>) => void): Files {
  return tinyFiles({ 'model.safetensors': safetensors(tensors, header) })
}

/** Puts one value among the F32 elements of a tensor. */
export function withValue(value: number): (tensor: SourceTensor) => SourceTensor {
  return (tensor) => {
    const values = new Float32Array(tensor.data.slice().buffer)
    values[5] = value
    return { ...tensor, data: new Uint8Array(values.buffer) }
  }
}
