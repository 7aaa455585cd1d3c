import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { importModel } from '../../../src/app/model-import.ts'
import { type Entry, type GgufPart, ggufBytes, ggufMetadata, ggufTensors } from './gguf-file.ts'
import { type Files, TINY_CONFIG, tinyTensors, writeFolder } from './hugging-face-folder.ts'
import { createImportWorld, type ImportWorld } from './import-world.ts'

const never = new AbortController().signal
let world: ImportWorld

beforeEach(() => {
  world = createImportWorld()
})
afterEach(() => world.remove())

type Parts = Map<string, GgufPart>

const parts = (): Parts => ggufTensors(TINY_CONFIG, tinyTensors())
const entry = (name: string, value: Entry): Map<string, Entry> => ggufMetadata(TINY_CONFIG, [[name, value]])

/** A file whose tensors were changed. */
function file(change: (tensors: Parts) => void, metadata = ggufMetadata(TINY_CONFIG)): Files {
  const tensors = parts()
  change(tensors)
  return { 'tiny.gguf': ggufBytes({ metadata, tensors }) }
}

/** The file in two, as publishers cut it. */
function cutFile(numbers: readonly [number, number], count = 2): Files {
  const tensors = [...parts()]
  return Object.fromEntries(
    [tensors.slice(0, 5), tensors.slice(5)].map((piece, index) => {
      const split: [string, Entry][] = [
        ['split.no', ['u32', numbers[index]!]],
        ['split.count', ['u32', count]],
      ]
      const metadata = index === 0 ? ggufMetadata(TINY_CONFIG, split) : new Map(split)
      return [`tiny-0000${index + 1}-of-00002.gguf`, ggufBytes({ metadata, tensors: new Map(piece) })]
    }),
  )
}

const NORM = 'blk.0.attn_norm.weight'
const QUERY = 'blk.1.attn_q.weight'

describe('an import of GGUF is refused, and leaves nothing, for', () => {
  test.each<[string, () => Files, string]>([
    ['a missing tensor', () => file((t) => t.delete(QUERY)), 'WEIGHTS_MISSING_TENSOR'],
    ['a missing embedding', () => file((t) => t.delete('token_embd.weight')), 'WEIGHTS_MISSING_TENSOR'],
    [
      'a tensor that nothing uses',
      () => file((t) => t.set('blk.0.attn_q.bias', t.get(NORM)!)),
      'WEIGHTS_UNKNOWN_TENSOR',
    ],
    ['a layer too many', () => file((t) => t.set('blk.2.attn_norm.weight', t.get(NORM)!)), 'WEIGHTS_UNKNOWN_TENSOR'],
    ['a wrong shape', () => file((t) => t.set(QUERY, { ...t.get(QUERY)!, shape: [4, 16] })), 'WEIGHTS_BAD_SHAPE'],
    [
      'a vector that is a matrix',
      () => file((t) => t.set(NORM, { ...t.get(NORM)!, shape: [1, 8] })),
      'WEIGHTS_BAD_SHAPE',
    ],
    [
      'a form that has no values here',
      () => file((t) => t.set(QUERY, { type: 28, shape: [8, 8], data: new Uint8Array(8 * 64) })),
      'WEIGHTS_BAD_DTYPE',
    ],
    [
      'rotary factors that are no list',
      () => file((t) => t.set('rope_freqs.weight', { type: 0, shape: [2, 1], data: new Uint8Array(8) })),
      'WEIGHTS_BAD_SHAPE',
    ],
    [
      'rotary factors of another rule',
      () => file((t) => t.set('rope_freqs.weight', { type: 0, shape: [2], data: new Uint8Array(8) })),
      'MODEL_UNSUPPORTED',
    ],
    [
      'a NaN among the weights',
      () => file((t) => t.set(QUERY, { ...t.get(QUERY)!, data: new Uint8Array(256).fill(255) })),
      'WEIGHTS_NOT_FINITE',
    ],
    [
      'an unsupported architecture',
      () => file(() => {}, entry('general.architecture', ['text', 'mamba'])),
      'MODEL_UNSUPPORTED',
    ],
    ['no metadata', () => file(() => {}, new Map()), 'MODEL_BAD_CONFIG'],
    [
      'a tokenizer of a larger model',
      () => file(() => {}, entry('tokenizer.ggml.tokens', ['list', 'text', [...'abcdefghijklmnopqrst']])),
      'TOKENIZER_BAD',
    ],
    ['a file that is none', () => ({ 'tiny.gguf': new Uint8Array(100) }), 'WEIGHTS_BAD_HEADER'],
    ['an empty file', () => ({ 'tiny.gguf': new Uint8Array(0) }), 'WEIGHTS_TRUNCATED'],
    [
      'two models in one folder',
      () => ({ 'a.gguf': new Uint8Array(1), 'b.gguf': new Uint8Array(1) }),
      'MODEL_UNREADABLE',
    ],
    ['one file of two', () => ({ ...cutFile([0, 1]), 'tiny-00002-of-00002.gguf': undefined }), 'MODEL_UNREADABLE'],
    ['files in another order', () => cutFile([1, 0]), 'WEIGHTS_BAD_HEADER'],
    ['files of a larger model', () => cutFile([0, 1], 3), 'WEIGHTS_BAD_HEADER'],
    ['a number that fits nothing', () => ({ 'a-00003-of-00002.gguf': new Uint8Array(1) }), 'WEIGHTS_BAD_HEADER'],
    ['a number beyond the bound', () => ({ 'a-00001-of-99999.gguf': new Uint8Array(1) }), 'WEIGHTS_BAD_HEADER'],
    ['one file under another name', () => renamed(cutFile([0, 1])), 'WEIGHTS_BAD_HEADER'],
  ])('%s', async (_case, files, code) => {
    await expect(world.importFiles(files())).rejects.toThrow(expect.objectContaining({ code }))
    expect(world.leftovers()).toEqual([])
  })

  function renamed(files: Files): Files {
    return { 'tiny.gguf': files['tiny-00001-of-00002.gguf'] }
  }

  test('a file of another kind', async () => {
    const folder = writeFolder(world.root, { 'weights.bin': new Uint8Array(9) })
    const act = importModel({ folder: join(folder, 'weights.bin'), home: world.home, format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test('a folder with the name of a file', async () => {
    mkdirSync(join(world.root, 'tiny', 'x.gguf'), { recursive: true })
    const act = importModel({ folder: join(world.root, 'tiny'), home: world.home, format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test('an abort in the middle', async () => {
    const controller = new AbortController()
    const reason = new Error('stop')
    const onProgress = (): void => controller.abort(reason)
    await expect(
      world.importFiles(
        file(() => {}),
        { onProgress },
        controller.signal,
      ),
    ).rejects.toBe(reason)
    expect(world.leftovers()).toEqual([])
  })
})

test('a tokenizer that cannot be made leaves a warning that says why', async () => {
  const tokens: Entry = ['list', 'text', ['<s>', '</s>', ...'abcdefghijklmn']]
  const metadata = ggufMetadata(TINY_CONFIG, [
    ['tokenizer.ggml.model', ['text', 'gpt2']],
    ['tokenizer.ggml.pre', ['text', 'strange']],
    ['tokenizer.ggml.tokens', tokens],
  ])
  const folder = writeFolder(
    world.root,
    file(() => {}, metadata),
  )
  const { warnings, model } = await importModel({ folder, home: world.home, format: 'f32' }, never)
  expect(warnings).toEqual([expect.stringMatching(/"strange", is not known.*tokenizer\.json beside the weights/)])
  expect(model.manifest.files).toEqual([])
  writeFileSync(join(folder, 'tokenizer.json'), '{')
  const again = importModel({ folder, home: world.home, format: 'f32', force: true }, never)
  await expect(again).rejects.toThrow(expect.objectContaining({ code: 'TOKENIZER_BAD' }))
})

test('a tokenizer that can be made is kept with the model', async () => {
  const texts = ['<s>', '</s>', ...'abcdefghijklmn']
  const metadata = ggufMetadata(TINY_CONFIG, [
    ['tokenizer.ggml.model', ['text', 'gpt2']],
    ['tokenizer.ggml.pre', ['text', 'gpt-2']],
    ['tokenizer.ggml.tokens', ['list', 'text', texts]],
    ['tokenizer.ggml.token_type', ['list', 'i32', texts.map((_, id) => (id < 2 ? 3 : 1))]],
    ['tokenizer.ggml.merges', ['list', 'text', []]],
    ['tokenizer.ggml.add_bos_token', ['flag', true]],
  ])
  const folder = writeFolder(
    world.root,
    file(() => {}, metadata),
  )
  const { warnings, model } = await importModel({ folder, home: world.home, format: 'f32' }, never)
  expect(warnings).toEqual([])
  expect(model.manifest.files.map(({ name }) => name)).toEqual(['tokenizer.json', 'tokenizer_config.json'])
  expect(model.manifest.config).toMatchObject({ beginToken: 0, endTokens: [1] })
})
