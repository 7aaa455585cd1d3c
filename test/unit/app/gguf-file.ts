/**
 * GGUF files for tests, written as llama.cpp's converter writes them: names, order of rows and metadata from its code, not from ours.
 * @module
 */
import type { SourceTensor, Tensors } from './hugging-face-folder.ts'

/** `gguf_metadata_value_type`, of those that are written here. */
export const KIND = { u8: 0, u32: 4, i32: 5, f32: 6, flag: 7, text: 8, list: 9, u64: 10, f64: 12 } as const

export type Entry =
  | readonly [kind: Exclude<keyof typeof KIND, 'list'>, value: number | bigint | boolean | string]
  | readonly [kind: 'list', of: Exclude<keyof typeof KIND, 'list'>, values: readonly (number | string | boolean)[]]

export interface GgufPart {
  readonly type: number
  /** Fastest dimension first. */
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

export interface GgufParts {
  readonly metadata: ReadonlyMap<string, Entry>
  readonly tensors: ReadonlyMap<string, GgufPart>
}

export interface GgufOptions {
  readonly alignment?: number
  readonly version?: number
  /** Changes the offset that is written for a tensor. */
  readonly offsetOf?: (name: string, offset: number) => number
}

/** The bytes of a file. */
export function ggufBytes({ metadata, tensors }: GgufParts, options: GgufOptions = {}): Uint8Array {
  const { alignment = 32, version = 3, offsetOf = (_name, offset) => offset } = options
  const parts: Uint8Array[] = [utf8('GGUF'), u32(version), u64(tensors.size), u64(metadata.size)]
  for (const [key, entry] of metadata) {
    parts.push(text(key), u32(KIND[entry[0]]))
    if (entry[0] === 'list')
      parts.push(u32(KIND[entry[1]]), u64(entry[2].length), ...entry[2].map((v) => scalar(entry[1], v)))
    else parts.push(scalar(entry[0], entry[1]))
  }
  let offset = 0
  for (const [name, { type, shape, data }] of tensors) {
    parts.push(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offsetOf(name, offset)))
    offset = padded(offset + data.length, alignment)
  }
  let length = parts.reduce((sum, part) => sum + part.length, 0)
  for (const { data } of tensors.values()) {
    parts.push(new Uint8Array(padded(length, alignment) - length), data)
    length = padded(length, alignment) + data.length
  }
  return new Uint8Array(Buffer.concat(parts))
}

const PARTS: readonly (readonly [ours: string, theirs: string])[] = [
  ['input_layernorm', 'attn_norm'],
  ['self_attn.q_proj', 'attn_q'],
  ['self_attn.k_proj', 'attn_k'],
  ['self_attn.v_proj', 'attn_v'],
  ['self_attn.o_proj', 'attn_output'],
  ['self_attn.q_norm', 'attn_q_norm'],
  ['self_attn.k_norm', 'attn_k_norm'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['mlp.gate_proj', 'ffn_gate'],
  ['mlp.up_proj', 'ffn_up'],
  ['mlp.down_proj', 'ffn_down'],
]

const TYPE_IDS: ReadonlyMap<string, number> = new Map([
  ['F32', 0],
  ['F16', 1],
  ['BF16', 30],
])

export function ggufTensorName(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight'
  if (name === 'model.norm.weight') return 'output_norm.weight'
  if (name === 'lm_head.weight') return 'output.weight'
  const [, layer, rest] = /^model\.layers\.(\d+)\.(.*)$/.exec(name)!
  const part = PARTS.find(([ours]) => rest!.startsWith(`${ours}.`))!
  return `blk.${layer}.${part[1]}.${rest!.split('.').at(-1)}`
}

type Config = Readonly<Record<string, unknown>>

/** The tensors of a Hugging Face model, with the rows of llama's queries and keys as the converter orders them. */
export function ggufTensors(config: Config, tensors: Tensors): Map<string, GgufPart> {
  const isLlama = architectureOf(config) === 'llama'
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const heads = name.endsWith('q_proj.weight')
        ? config['num_attention_heads']
        : name.endsWith('k_proj.weight')
          ? (config['num_key_value_heads'] ?? config['num_attention_heads'])
          : undefined
      const data = isLlama && heads !== undefined ? permuted(tensor, heads as number) : tensor.data
      return [ggufTensorName(name), { type: TYPE_IDS.get(tensor.dtype)!, shape: [...tensor.shape].reverse(), data }]
    }),
  )
}

/** `weights.reshape(heads, 2, rows / heads / 2, columns).swapaxes(1, 2).reshape(rows, columns)` */
function permuted({ shape, data }: SourceTensor, heads: number): Uint8Array {
  const rows = shape[0]!
  const rowBytes = data.length / rows
  const half = rows / heads / 2
  const out = new Uint8Array(data.length)
  let to = 0
  for (let head = 0; head < heads; head++) {
    for (let index = 0; index < half; index++) {
      for (let part = 0; part < 2; part++) {
        const from = ((head * 2 + part) * half + index) * rowBytes
        out.set(data.subarray(from, from + rowBytes), to)
        to += rowBytes
      }
    }
  }
  return out
}

export function architectureOf(config: Config): string {
  const name = (config['architectures'] as string[])[0]!
  return name.startsWith('Qwen2') ? 'qwen2' : name.startsWith('Qwen3') ? 'qwen3' : 'llama'
}

/** What the converter writes for config.json, without a tokenizer. */
export function ggufMetadata(config: Config, more: Iterable<readonly [string, Entry]> = []): Map<string, Entry> {
  const name = architectureOf(config)
  const number = (key: string): number => config[key] as number
  return new Map<string, Entry>([
    ['general.architecture', ['text', name]],
    ['general.file_type', ['u32', 0]],
    [`${name}.block_count`, ['u32', number('num_hidden_layers')]],
    [`${name}.context_length`, ['u32', number('max_position_embeddings')]],
    [`${name}.embedding_length`, ['u32', number('hidden_size')]],
    [`${name}.feed_forward_length`, ['u32', number('intermediate_size')]],
    [`${name}.attention.head_count`, ['u32', number('num_attention_heads')]],
    [`${name}.attention.head_count_kv`, ['u32', number('num_key_value_heads')]],
    [`${name}.attention.layer_norm_rms_epsilon`, ['f32', number('rms_norm_eps')]],
    ...(config['rope_theta'] === undefined ? [] : [[`${name}.rope.freq_base`, ['f32', number('rope_theta')]] as const]),
    ...(config['head_dim'] === undefined
      ? []
      : [
          [`${name}.attention.key_length`, ['u32', number('head_dim')]] as const,
          [`${name}.attention.value_length`, ['u32', number('head_dim')]] as const,
        ]),
    ['tokenizer.ggml.bos_token_id', ['u32', number('bos_token_id')]],
    ['tokenizer.ggml.eos_token_id', ['u32', number('eos_token_id')]],
    ...more,
  ])
}

/** `rope_freqs.weight` of a config with llama3 scaling, in the converter's words. */
export function ropeFactors(config: Config): GgufPart {
  const scaling = config['rope_scaling'] as Record<string, number>
  const size =
    (config['head_dim'] as number) ?? (config['hidden_size'] as number) / (config['num_attention_heads'] as number)
  const context = scaling['original_max_position_embeddings']!
  const low = scaling['low_freq_factor']!
  const high = scaling['high_freq_factor']!
  const factor = scaling['factor']!
  const factors = Float32Array.from({ length: size / 2 }, (_, index) => {
    const frequency = Math.fround(1 / (config['rope_theta'] as number) ** ((2 * index) / size))
    const wavelength = (2 * Math.PI) / frequency
    if (wavelength < context / high) return 1
    if (wavelength > context / low) return factor
    const smooth = (context / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
  return { type: 0, shape: [size / 2], data: new Uint8Array(factors.buffer) }
}

function scalar(kind: Exclude<keyof typeof KIND, 'list'>, value: number | bigint | boolean | string): Uint8Array {
  switch (kind) {
    case 'text':
      return text(String(value))
    case 'flag':
    case 'u8':
      return Uint8Array.of(Number(value))
    case 'u64':
      return u64(BigInt(value as number | bigint))
    case 'f32':
      return new Uint8Array(Float32Array.of(Number(value)).buffer)
    case 'f64':
      return new Uint8Array(Float64Array.of(Number(value)).buffer)
    case 'u32':
    case 'i32':
      return u32(Number(value))
  }
}

function text(value: string): Uint8Array {
  const bytes = utf8(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
}

function padded(length: number, alignment: number): number {
  return Math.ceil(length / alignment) * alignment
}
