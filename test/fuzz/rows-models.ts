/**
 * Decoders of what models are made of: files that somebody else wrote.
 * @module
 */

import { decodeNotes, notesOf } from '../../src/app/shards/partial-file.ts'
import { hash } from '../../src/base/brand.ts'
import { type ModelConfig, NUMBER_SPEC } from '../../src/ml/config.ts'
import { decodeElements } from '../../src/ml/float-formats.ts'
import { configFromHuggingFace, generationFromHuggingFace } from '../../src/ml/huggingface.ts'
import { parseJson } from '../../src/ml/json-fields.ts'
import { encodeManifest, type ModelManifest } from '../../src/ml/manifest.ts'
import { parseManifest } from '../../src/ml/manifest-parse.ts'
import { ModelError } from '../../src/ml/model-error.ts'
import { parseSafetensorsHeader, safetensorsHeaderBytes } from '../../src/ml/safetensors.ts'
import { checkShardHead, shardLayout } from '../../src/ml/shard-file.ts'
import { createTokenizer } from '../../src/ml/tokenizer.ts'
import { type Decoder, decoder, utf8 } from './decoder.ts'

const config: ModelConfig = {
  ...{ family: 'llama', hiddenSize: 64, layerCount: 1, headCount: 2, keyValueHeadCount: 1, headSize: 32 },
  ...{ intermediateSize: 96, vocabularySize: 40, contextLength: 128, normEpsilon: 1e-5, ropeTheta: 10_000 },
  ...{ ropeScaling: { type: 'none' }, slidingWindow: undefined, queryKeyValueBias: false, queryKeyNorm: false },
  ...{ tiedHead: true, beginToken: 1, endTokens: [2] },
}
const range = { firstLayer: 0, lastLayer: 1, hasEmbedding: true, hasHead: true }
const layout = shardLayout(config, range, 'q8')
const digest = hash('ab'.repeat(32))
const manifest: ModelManifest = {
  ...{ name: 'tiny', spec: NUMBER_SPEC, format: 'q8', config },
  segments: [{ ...range, shard: { file: 'segment-000.shard', bytes: layout.totalBytes, root: digest } }],
  files: [{ name: 'tokenizer.json', bytes: 10, root: digest }],
  generation: { temperature: 0.5, topK: 40 },
}

const unusual: ModelManifest = {
  ...manifest,
  config: {
    ...config,
    ...{ slidingWindow: 9, extras: { gate: 'gelu', scoreCap: 50, windowLayers: [], windowTheta: 9, rotarySize: 4 } },
    ropeScaling: {
      ...{ type: 'longrope', shortFactors: [1, 2], longFactors: [3, 4], originalContextLength: 9 },
      attentionFactor: 1.5,
    },
  },
}

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))
const parsed = (bytes: Uint8Array): unknown =>
  parseJson(bytes, (problem) => new ModelError('MODEL_BAD_CONFIG', `The file ${problem}.`))

const TENSORS = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: 'BF16', shape: [4], data_offsets: [24, 32] },
}
const HUGGING_FACE = {
  ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', hidden_size: 64, num_hidden_layers: 1 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 96, vocab_size: 40 },
  ...{ max_position_embeddings: 128, rms_norm_eps: 1e-5, rope_theta: 10_000, tie_word_embeddings: true },
  ...{ bos_token_id: 1, eos_token_id: [2], hidden_act: 'silu' },
  rope_scaling: { rope_type: 'linear', factor: 2 },
}
const FAMILIES = [
  { architectures: ['Gemma3ForCausalLM'], rope_parameters: { full_attention: {}, sliding_attention: {} } },
  {
    architectures: ['Phi3ForCausalLM'],
    rope_scaling: { type: 'su', short_factor: Array(16).fill(1), long_factor: Array(16).fill(2) },
  },
  { architectures: ['SmolLM3ForCausalLM'], no_rope_layers: [0], rope_scaling: { type: 'yarn', factor: 2 } },
]
const TOKENIZER = {
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] },
  added_tokens: [{ id: 3, content: '<s>', special: true }],
  decoder: { type: 'ByteLevel' },
}

export const MODEL_ROWS: readonly Decoder[] = [
  decoder({
    name: 'manifest',
    covers: [
      'ml/manifest-parse.ts:parseManifest',
      'ml/json-fields.ts:parseJson',
      'ml/json-fields.ts:readFields',
      'ml/manifest-config.ts:readManifestConfig',
    ],
    samples: () => [encodeManifest(manifest), encodeManifest(unusual)],
    decode: parseManifest,
    encode: encodeManifest,
    isText: true,
    codes: ['MODEL_BAD_MANIFEST', 'MODEL_BAD_NAME'],
    bytesMax: 256 * 1024,
  }),
  decoder({
    name: 'chunk-notes',
    covers: ['app/shards/partial-file.ts:decodeNotes'],
    samples: () => [notesOf(Uint8Array.of(0b1_0110)), Uint8Array.of(9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0)],
    // Notes may name chunks twice, in any order, and chunks that are none.
    decode: (bytes) => decodeNotes(bytes, 5_000_000),
    codes: [],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'shard-head',
    covers: ['ml/shard-file.ts:checkShardHead'],
    samples: () => [layout.head],
    decode: (bytes) => checkShardHead(bytes, layout.totalBytes, layout),
    codes: ['MODEL_BAD_SHARD'],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'safetensors-prefix',
    covers: ['ml/safetensors.ts:safetensorsHeaderBytes'],
    samples: () => [Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0)],
    decode: (bytes) => safetensorsHeaderBytes(bytes, 1_000),
    codes: ['WEIGHTS_'],
    bytesMax: 64,
  }),
  decoder({
    name: 'safetensors-header',
    covers: ['ml/safetensors.ts:parseSafetensorsHeader'],
    samples: () => [json(TENSORS)],
    decode: (bytes) => parseSafetensorsHeader(bytes, 32),
    isText: true,
    codes: ['WEIGHTS_'],
    bytesMax: 256 * 1024,
  }),
  decoder({
    name: 'elements',
    covers: ['ml/float-formats.ts:decodeElements'],
    samples: () => [new Uint8Array(16).fill(0x7c)],
    // The caller cuts whole elements.
    decode: (bytes) =>
      (['F32', 'F16', 'BF16'] as const).map((dtype) => decodeElements(dtype, bytes.subarray(0, bytes.length & ~3))),
    codes: [],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'model-config',
    covers: [
      'ml/huggingface-attention.ts:readRope',
      'ml/huggingface-attention.ts:readWindows',
      'ml/huggingface-rope.ts:readScaling',
      'ml/huggingface-families.ts:readFamily',
      'ml/huggingface-families.ts:readFamilyExtras',
      'ml/huggingface-families.ts:readUnrotatedLayers',
    ],
    near: () => [json({ ...HUGGING_FACE, rope_scaling: { type: { toString: 1 } } })],
    samples: () => [
      json(HUGGING_FACE),
      json({ ...HUGGING_FACE, layer_types: ['full_attention'], sliding_window: 9 }),
      ...FAMILIES.map((change) => json({ ...HUGGING_FACE, ...change })),
    ],
    decode: (bytes) => configFromHuggingFace(parsed(bytes)),
    isText: true,
    codes: ['MODEL_'],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'generation-config',
    covers: ['ml/huggingface.ts:generationFromHuggingFace'],
    samples: () => [json({ do_sample: true, temperature: 0.7, top_k: 5, top_p: 0.9, eos_token_id: 2 })],
    decode: (bytes) => generationFromHuggingFace(parsed(bytes)),
    isText: true,
    codes: ['MODEL_'],
    bytesMax: 64 * 1024,
  }),
  decoder({
    name: 'tokenizer',
    covers: ['ml/tokenizer.ts:createTokenizer'],
    near: () => [json({ ...TOKENIZER, model: { type: { toString: 1 } } })],
    samples: () => [json(TOKENIZER)],
    decode: (bytes) => createTokenizer({ tokenizerJson: parsed(bytes), config }).endTokens,
    isText: true,
    codes: ['TOKENIZER_', 'MODEL_BAD_CONFIG'],
    bytesMax: 64 * 1024,
    cost: 4,
  }),
]
