/**
 * The metadata of a GGUF file as fields. A key of the architecture that is not known here is refused: it may change the numbers.
 * Spec: docs/spec/model.md §10.
 * @module
 */
import type { ModelFamily } from '../config.ts'
import { type JsonFields, readFields } from '../json-fields.ts'
import { ModelError } from '../model-error.ts'
import type { GgufHeader, GgufTensor } from './header.ts'

/** Mistral, TinyLlama, SmolLM2 and others are `llama` there. */
const FAMILIES: readonly ModelFamily[] = ['llama', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3', 'phi3', 'smollm3']

/** Keys of the architecture that are read here, or that change no number. */
const KNOWN: ReadonlySet<string> = new Set([
  'block_count',
  'context_length',
  'embedding_length',
  'feed_forward_length',
  'vocab_size',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'attention.sliding_window',
  'attention.sliding_window_pattern',
  'attention.causal',
  'attn_logit_softcapping',
  'final_logit_softcapping',
  'expert_count',
  'expert_used_count',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.freq_base_swa',
  'rope.scale_linear',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.attn_factor',
  'rope.scaling.yarn_beta_fast',
  'rope.scaling.yarn_beta_slow',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'tensor_data_layout',
])

/** Metadata by name; `of` adds the name of the architecture. */
export interface GgufFields {
  readonly all: JsonFields
  readonly family: ModelFamily
  readonly of: (key: string) => string
}

/** Metadata of a model of a known architecture. Throws MODEL_UNSUPPORTED or MODEL_BAD_CONFIG. */
export function readGgufFields(metadata: GgufHeader['metadata']): GgufFields {
  const all = readFields(Object.fromEntries(metadata), badGguf)
  const name = all.text('general.architecture')
  const family = FAMILIES.find((known) => known === name)
  if (family === undefined)
    throw unsupportedGguf(`the architecture ${name}`, `It takes ${FAMILIES.join(', ')} from GGUF files`)
  const stranger = all
    .keys()
    .filter((key) => key.startsWith(`${name}.`))
    .find((key) => !KNOWN.has(key.slice(name.length + 1)))
  if (stranger !== undefined)
    throw unsupportedGguf(`${stranger}, which this program does not know`, 'Import the safetensors of this model')
  return { all, family, of: (key) => `${name}.${key}` }
}

/** What is read besides the metadata. */
export interface GgufParts {
  readonly tensors: ReadonlyMap<string, Pick<GgufTensor, 'shape'>>
  /** Values of `rope_freqs.weight`, where there is one. */
  readonly ropeFactors: Float32Array | undefined
  /** Those of `rope_factors_short.weight` and `rope_factors_long.weight`. */
  readonly longFactors?: { readonly short: Float32Array; readonly long: Float32Array } | undefined
  readonly beginToken: number | undefined
  readonly endTokens: readonly number[]
}

/**
 * The shortest decimal number that is this f32: metadata of that type stands for what config.json wrote in decimals, and f64
 * arithmetic would tell 1e-5 from the f32 next to it.
 */
export function decimal(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}

export function unsupportedGguf(what: string, advice: string): ModelError {
  return new ModelError('MODEL_UNSUPPORTED', `exact-1 does not compute ${what}. ${advice}.`)
}

export function badGguf(problem: string): ModelError {
  return new ModelError('MODEL_BAD_CONFIG', `The metadata of the GGUF file cannot be used: ${problem}.`)
}
