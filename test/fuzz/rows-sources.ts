/**
 * Decoders of what models are imported from: GGUF files, names of repositories, lists of a hub.
 * @module
 */
import { readRemoteFile } from '../../src/app/hub/repository.ts'
import { parseRepositoryName } from '../../src/app/hub/repository-name.ts'
import { readEndpoint } from '../../src/app/import/import-by-name.ts'
import { BLOCK_NAMES, blockTypeOf, decodeBlocks } from '../../src/ml/gguf/blocks.ts'
import { configFromGguf, readVocabularySize } from '../../src/ml/gguf/config.ts'
import { readGgufFields } from '../../src/ml/gguf/fields.ts'
import { type GgufHeader, parseGgufHeader } from '../../src/ml/gguf/header.ts'
import { readGgufTokenizer } from '../../src/ml/gguf/tokenizer.ts'
import { parseJson } from '../../src/ml/json-fields.ts'
import { ModelError } from '../../src/ml/model-error.ts'
import { type Entry, ggufBytes, ggufMetadata, ggufTensors } from '../unit/app/gguf-file.ts'
import { TINY_CONFIG, tinyTensors } from '../unit/app/hugging-face-folder.ts'
import { type Decoder, decoder, textDecoder, utf8 } from './decoder.ts'

const TEXTS = ['<s>', '</s>', ...'abcdefghijklmn']
const TOKENIZER: readonly (readonly [string, Entry])[] = [
  ['tokenizer.ggml.model', ['text', 'gpt2']],
  ['tokenizer.ggml.pre', ['text', 'qwen2']],
  ['tokenizer.ggml.tokens', ['list', 'text', TEXTS]],
  ['tokenizer.ggml.token_type', ['list', 'i32', TEXTS.map((_, id) => (id < 2 ? 3 : 1))]],
  ['tokenizer.ggml.merges', ['list', 'text', ['a b']]],
  ['tokenizer.ggml.scores', ['list', 'f32', TEXTS.map((_, id) => -id)]],
  ['tokenizer.ggml.add_bos_token', ['flag', true]],
]
const QWEN = { ...TINY_CONFIG, architectures: ['Qwen2ForCausalLM'], head_dim: 4, rope_theta: 1e6 }

function models(): Uint8Array[] {
  return [TINY_CONFIG, QWEN].map((config) =>
    ggufBytes({ metadata: ggufMetadata(config, TOKENIZER), tensors: ggufTensors(config, tinyTensors()) }),
  )
}

function oddFile(): Uint8Array {
  const metadata = new Map<string, Entry>([
    ['general.alignment', ['u32', 64]],
    ['a', ['u64', 2n ** 60n]],
    ['b', ['list', 'u8', [1, 2, 3]]],
  ])
  const blocks = { type: 8, shape: [32, 2], data: new Uint8Array(68) }
  return ggufBytes({ metadata, tensors: new Map([['one', blocks]]) }, { alignment: 64 })
}

function describe(bytes: Uint8Array): unknown {
  const header: GgufHeader | undefined = parseGgufHeader(bytes, bytes.length)
  if (header === undefined) return undefined
  const fields = readGgufFields(header.metadata)
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  const { beginToken, endTokens } = readGgufTokenizer(header.metadata, readVocabularySize(tensors))
  const ropeFactors = Float32Array.of(1, 8)
  return configFromGguf(fields, { tensors, ropeFactors, beginToken, endTokens })
}

const hub = new URL('https://hub.example')
const parsed = (bytes: Uint8Array): unknown =>
  parseJson(bytes, (problem) => new ModelError('MODEL_BAD_CONFIG', `The list ${problem}.`))
const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value))
const LFS = { oid: 'ab'.repeat(32), size: 5_000, pointerSize: 134 }

export const SOURCE_ROWS: readonly Decoder[] = [
  decoder({
    name: 'gguf-header',
    covers: ['ml/gguf/header.ts:parseGgufHeader'],
    samples: () => [...models(), oddFile()],
    decode: (bytes) => parseGgufHeader(bytes, bytes.length),
    codes: ['WEIGHTS_'],
    bytesMax: 256 * 1024,
    cost: 2,
  }),
  decoder({
    name: 'gguf-model',
    covers: [
      'ml/gguf/fields.ts:readGgufFields',
      'ml/gguf/config.ts:readVocabularySize',
      'ml/gguf/attention.ts:readAttention',
      'ml/gguf/tokenizer.ts:readGgufTokenizer',
    ],
    samples: models,
    decode: describe,
    codes: ['WEIGHTS_', 'MODEL_', 'TOKENIZER_'],
    bytesMax: 256 * 1024,
    cost: 4,
  }),
  decoder({
    name: 'gguf-blocks',
    covers: ['ml/gguf/blocks.ts:decodeBlocks'],
    samples: () => [new Uint8Array(420).fill(0x5a)],
    // The caller cuts whole blocks.
    decode: (bytes) =>
      BLOCK_NAMES.map((name) => {
        const size = [...Array(64).keys()].map(blockTypeOf).find((type) => type?.name === name)!.bytes
        return decodeBlocks(name, bytes.subarray(0, bytes.length - (bytes.length % size)))
      }),
    codes: [],
    bytesMax: 64 * 1024,
  }),
  textDecoder({
    name: 'repository-name',
    covers: ['app/hub/repository-name.ts:parseRepositoryName'],
    samples: () => ['hf:owner/name', 'owner/name@refs/pr/1'],
    decode: parseRepositoryName,
    encode: ({ id, revision }) => `hf:${id}@${revision}`,
    codes: ['HUB_BAD_NAME'],
    bytesMax: 4_096,
  }),
  textDecoder({
    name: 'hub-address',
    covers: ['app/import/import-by-name.ts:readEndpoint'],
    samples: () => ['https://huggingface.co', 'http://127.0.0.1:8080/mirror/'],
    decode: (text) => readEndpoint(text).href,
    encode: (href) => href,
    codes: ['HUB_BAD_NAME'],
    bytesMax: 4_096,
  }),
  decoder({
    name: 'hub-file',
    covers: ['app/hub/repository.ts:readRemoteFile'],
    samples: () => [
      json({ type: 'file', path: 'config.json', size: 500, oid: 'ab'.repeat(20) }),
      json({ type: 'file', path: 'a.gguf', size: 5_000, oid: 'ab'.repeat(20), lfs: LFS }),
    ],
    decode: (bytes) => readRemoteFile(parsed(bytes), hub),
    isText: true,
    codes: ['HUB_BAD_ANSWER', 'MODEL_BAD_CONFIG'],
    bytesMax: 64 * 1024,
  }),
]
