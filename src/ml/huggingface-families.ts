/**
 * The families of Hugging Face's config.json: names of architectures, defaults of absent fields as in `transformers`, and what a family has
 * beyond the Llama family. Knows no files. Spec: docs/spec/model.md §1.
 * @module
 */
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelExtras, ModelFamily } from './config.ts'
import type { JsonFields } from './json-fields.ts'
import { ModelError } from './model-error.ts'

interface Architecture {
  readonly family: ModelFamily
  readonly modelType: string
}

/** By the name in `architectures`. Those whose text part is in `text_config` are named by its model type. */
const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ['LlamaForCausalLM', { family: 'llama', modelType: 'llama' }],
  ['MistralForCausalLM', { family: 'mistral', modelType: 'mistral' }],
  ['MinistralForCausalLM', { family: 'mistral', modelType: 'ministral' }],
  ['Qwen2ForCausalLM', { family: 'qwen2', modelType: 'qwen2' }],
  ['Qwen3ForCausalLM', { family: 'qwen3', modelType: 'qwen3' }],
  ['GemmaForCausalLM', { family: 'gemma', modelType: 'gemma' }],
  ['Gemma2ForCausalLM', { family: 'gemma2', modelType: 'gemma2' }],
  ['Gemma3ForCausalLM', { family: 'gemma3', modelType: 'gemma3_text' }],
  ['Phi3ForCausalLM', { family: 'phi3', modelType: 'phi3' }],
  ['SmolLM3ForCausalLM', { family: 'smollm3', modelType: 'smollm3' }],
])

/** Models that see images too; of them the text part is taken. */
const WITH_IMAGES: ReadonlySet<string> = new Set(['Gemma3ForConditionalGeneration', 'Mistral3ForConditionalGeneration'])

const GEMMA_SIZES = { num_attention_heads: 8, num_key_value_heads: 4, head_dim: 256 }
const GEMMA_ENDS = { bos_token_id: 2, eos_token_id: 1, tie_word_embeddings: true }

/** Absent fields; families that are not here have no other defaults than readers of fields know. */
const DEFAULTS: Readonly<Partial<Record<ModelFamily, object>>> = {
  gemma: {
    ...{ num_attention_heads: 16, num_key_value_heads: 16, head_dim: 256, vocab_size: 256_000 },
    ...{ max_position_embeddings: 8_192, ...GEMMA_ENDS },
  },
  gemma2: {
    ...{ ...GEMMA_SIZES, ...GEMMA_ENDS, vocab_size: 256_000, hidden_size: 2_304, intermediate_size: 9_216 },
    ...{ num_hidden_layers: 26, max_position_embeddings: 8_192, sliding_window: 4_096, query_pre_attn_scalar: 256 },
    ...{ attn_logit_softcapping: 50, final_logit_softcapping: 30 },
  },
  gemma3: {
    ...{ ...GEMMA_SIZES, ...GEMMA_ENDS, vocab_size: 262_208, hidden_size: 2_304, intermediate_size: 9_216 },
    ...{ num_hidden_layers: 26, max_position_embeddings: 131_072, sliding_window: 4_096, query_pre_attn_scalar: 256 },
    ...{ rope_theta: 1e6 },
  },
  phi3: { rms_norm_eps: 1e-5 },
  smollm3: {
    ...{ num_key_value_heads: 4, rope_theta: 2e6, tie_word_embeddings: true },
    ...{ bos_token_id: 128_000, eos_token_id: 128_001 },
  },
}

/** Of the outer object of a model that sees images, what concerns its text. */
const OUTER: readonly string[] = ['bos_token_id', 'eos_token_id', 'tie_word_embeddings', 'quantization_config']

export interface FamilyFields {
  readonly family: ModelFamily
  /** With the family's defaults. */
  readonly fields: JsonFields
  /** The model has parts for images, which are left out. */
  readonly hasImages: boolean
}

/** Throws MODEL_UNSUPPORTED for an architecture that is not known. */
export function readFamily(outer: JsonFields, read: (value: unknown) => JsonFields): FamilyFields {
  const named = outer.has('architectures') ? outer.list('architectures', 16)[0] : undefined
  const hasImages = WITH_IMAGES.has(String(named)) && outer.has('text_config')
  const inner = hasImages ? outer.object('text_config') : outer
  const name = typeof named === 'string' && !hasImages ? named : architectureOf(inner)
  const architecture = ARCHITECTURES.get(name)
  if (architecture === undefined) {
    throw unsupported(`the architecture ${name}`, `It takes ${[...ARCHITECTURES.keys()].join(', ')}`)
  }
  const { family } = architecture
  const given = Object.fromEntries([
    ...(hasImages ? OUTER.filter((key) => outer.keys().includes(key)).map((key) => [key, outer.raw(key)]) : []),
    ...inner.keys().map((key) => [key, inner.raw(key)]),
  ])
  return { family, fields: read({ ...DEFAULTS[family], ...given }), hasImages }
}

function architectureOf(fields: JsonFields): string {
  const type = fields.text('model_type')
  return [...ARCHITECTURES].find(([, { modelType }]) => modelType === type)?.[0] ?? type
}

/** The name in `architectures` of models of this family. */
export function architectureName(family: ModelFamily): string {
  return [...ARCHITECTURES].find(([, architecture]) => architecture.family === family)![0]
}

export function isGemma(family: ModelFamily): boolean {
  return family === 'gemma' || family === 'gemma2' || family === 'gemma3'
}

/** Gate, norms, caps and factors; which layers attend how is in huggingface-attention.ts. */
export function readFamilyExtras(
  fields: JsonFields,
  { family, hiddenSize }: { family: ModelFamily; hiddenSize: number },
): Partial<ModelExtras> {
  if (!isGemma(family)) return {}
  const gemma = { gate: 'gelu', embeddingFactor: gemmaEmbeddingFactor(hiddenSize) } as const
  if (family === 'gemma') return gemma
  const cap = (key: string): number => (fields.has(key) ? fields.number(key, { min: 1e-3, max: 1e6 }) : 0)
  return {
    ...gemma,
    outputNorms: true,
    scoreSize: fields.number('query_pre_attn_scalar', { min: 1e-3, max: 1e6 }),
    scoreCap: cap('attn_logit_softcapping'),
    logitCap: cap('final_logit_softcapping'),
  }
}

const bits = new DataView(new ArrayBuffer(4))

/** √d rounded to bfloat16, to even: the models were trained with it. */
export function gemmaEmbeddingFactor(hiddenSize: number): number {
  bits.setFloat32(0, Math.sqrt(hiddenSize))
  const word = bits.getUint32(0)
  bits.setUint32(0, (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff_0000)
  return bits.getFloat32(0)
}

/** Layers without rotary positions: `no_rope_layers` has 0 for them (SmolLM3). */
export function readUnrotatedLayers(fields: JsonFields, family: ModelFamily, layerCount: number): number[] {
  if (family !== 'smollm3') return []
  const layers = Array.from({ length: layerCount }, (_, layer) => layer)
  if (fields.has('no_rope_layers')) {
    const flags = fields.list('no_rope_layers', MODEL_LIMITS.layersMax)
    if (flags.length < layerCount || flags.some((flag) => flag !== 0 && flag !== 1)) {
      throw badConfig('no_rope_layers must have 0 or 1 for each layer')
    }
    return layers.filter((layer) => flags[layer] === 0)
  }
  const interval = fields.has('no_rope_layer_interval')
    ? fields.integer('no_rope_layer_interval', { min: 1, max: MODEL_LIMITS.layersMax })
    : 4
  return layers.filter((layer) => (layer + 1) % interval === 0)
}

/** Fields of other families that change numbers. Those that a family has are read elsewhere. */
const STRANGERS: readonly string[] = [
  ...['attn_logit_softcapping', 'final_logit_softcapping', 'query_pre_attn_scalar', 'use_bidirectional_attention'],
  ...['embedding_multiplier', 'residual_multiplier', 'attention_multiplier', 'logits_scaling', 'logit_scale'],
  ...['num_experts', 'num_local_experts', 'n_routed_experts', 'kv_lora_rank', 'q_lora_rank', 'use_qk_norm'],
  ...['clip_qkv', 'attention_chunk_size', 'no_rope_layers', 'num_kv_shared_layers', 'hidden_size_per_layer_input'],
]
const NEUTRAL: readonly unknown[] = [false, 0, 1]

/** Throws MODEL_UNSUPPORTED for a field that this family is not known to have, unless it changes nothing. */
export function refuseStrangers(fields: JsonFields, family: ModelFamily): void {
  const own = isGemma(family) ? STRANGERS.slice(0, 3) : family === 'smollm3' ? ['no_rope_layers'] : []
  const found = STRANGERS.filter((key) => !own.includes(key)).find(
    (key) => fields.has(key) && !NEUTRAL.includes(fields.raw(key)),
  )
  if (found !== undefined) throw unsupported(`${found} for ${family} models`, 'Choose a model without it')
}

export function unsupported(what: string, advice: string): ModelError {
  return new ModelError('MODEL_UNSUPPORTED', `exact-1 does not compute ${what}. ${advice}.`)
}

export function badConfig(problem: string): ModelError {
  return new ModelError('MODEL_BAD_CONFIG', `config.json cannot be used: ${problem}.`)
}
