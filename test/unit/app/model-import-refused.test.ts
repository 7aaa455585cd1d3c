import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ImportOptions, importModel } from '../../../src/app/model-import.ts'
import {
  changed,
  type Files,
  safetensors,
  TINY_CONFIG,
  TINY_TOKENIZER,
  tinyFiles,
  tinyTensors,
  weights,
  withValue,
  writeFolder,
} from './hugging-face-folder.ts'
import { createImportWorld, type ImportWorld } from './import-world.ts'

const never = new AbortController().signal
let world: ImportWorld

beforeEach(() => {
  world = createImportWorld()
})
afterEach(() => world.remove())

describe('an import is refused, and leaves nothing, for', () => {
  const norm = 'model.norm.weight'
  const query = 'model.layers.0.self_attn.q_proj.weight'
  const whole = safetensors(tinyTensors())
  const index = (map: unknown): Files =>
    tinyFiles({ 'model.safetensors': undefined, 'model.safetensors.index.json': map })
  const longHeader = whole.slice()
  new DataView(longHeader.buffer).setBigUint64(0, 2n ** 40n, true)
  const textHeader = whole.slice()
  textHeader[8] = 0x5b

  test.each<[string, Files, string]>([
    ['a truncated file', tinyFiles({ 'model.safetensors': whole.slice(0, -10) }), 'WEIGHTS_TRUNCATED'],
    ['an empty file', tinyFiles({ 'model.safetensors': new Uint8Array(0) }), 'WEIGHTS_TRUNCATED'],
    ['a header over the limit', tinyFiles({ 'model.safetensors': longHeader }), 'WEIGHTS_BAD_HEADER'],
    ['a header that is not JSON', tinyFiles({ 'model.safetensors': textHeader }), 'WEIGHTS_BAD_HEADER'],
    ['a wrong dtype', weights(changed(norm, (t) => ({ ...t, dtype: 'I32' }))), 'WEIGHTS_BAD_DTYPE'],
    ['a wrong shape', weights(changed(query, (t) => ({ ...t, shape: [4, 16] }))), 'WEIGHTS_BAD_SHAPE'],
    ['a vector that is a matrix', weights(changed(norm, (t) => ({ ...t, shape: [8, 1] }))), 'WEIGHTS_BAD_SHAPE'],
    ['a missing tensor', weights(changed(query, () => undefined)), 'WEIGHTS_MISSING_TENSOR'],
    ['a missing head', weights(changed('lm_head.weight', () => undefined)), 'WEIGHTS_MISSING_TENSOR'],
    [
      'a tensor that nothing uses',
      weights(tinyTensors().set('model.layers.0.self_attn.q_proj.bias', tinyTensors().get(norm)!)),
      'WEIGHTS_UNKNOWN_TENSOR',
    ],
    [
      'overlapping tensors',
      weights(tinyTensors(), (json) => Object.assign(json, { [norm]: json['model.layers.0.input_layernorm.weight'] })),
      'WEIGHTS_BAD_OFFSETS',
    ],
    ['a NaN among the weights', weights(changed(query, withValue(Number.NaN))), 'WEIGHTS_NOT_FINITE'],
    ['an infinity among the gains', weights(changed(norm, withValue(Number.POSITIVE_INFINITY))), 'WEIGHTS_NOT_FINITE'],
    ['a folder without weights', tinyFiles({ 'model.safetensors': undefined }), 'MODEL_UNREADABLE'],
    ['a folder without config', tinyFiles({ 'config.json': undefined }), 'MODEL_UNREADABLE'],
    ['a config that is not JSON', tinyFiles({ 'config.json': new Uint8Array(3) }), 'MODEL_BAD_CONFIG'],
    [
      'a config with absurd sizes',
      tinyFiles({ 'config.json': { ...TINY_CONFIG, hidden_size: 1e9 } }),
      'MODEL_BAD_CONFIG',
    ],
    [
      'a config of another size',
      tinyFiles({ 'config.json': { ...TINY_CONFIG, intermediate_size: 13 } }),
      'WEIGHTS_BAD_SHAPE',
    ],
    [
      'an unsupported architecture',
      tinyFiles({ 'config.json': { ...TINY_CONFIG, architectures: ['MambaForCausalLM'] } }),
      'MODEL_UNSUPPORTED',
    ],
    ['a tokenizer that is not JSON', tinyFiles({ 'tokenizer.json': new Uint8Array(3) }), 'TOKENIZER_BAD'],
    [
      'a tokenizer of a larger model',
      tinyFiles({ 'tokenizer.json': { ...TINY_TOKENIZER, model: { type: 'BPE', vocab: { a: 99 }, merges: [] } } }),
      'TOKENIZER_BAD',
    ],
    [
      'a tokenizer without its special tokens',
      tinyFiles({ 'tokenizer_config.json': { bos_token: '<begin>' } }),
      'TOKENIZER_NO_SPECIAL_TOKEN',
    ],
    ['generation defaults out of range', tinyFiles({ 'generation_config.json': { top_p: 7 } }), 'MODEL_BAD_CONFIG'],
    ['an index that is not JSON', index(new Uint8Array(2)), 'WEIGHTS_BAD_HEADER'],
    ['an index without files', index({ weight_map: {} }), 'WEIGHTS_BAD_HEADER'],
    ['an index that leads outside', index({ weight_map: { [norm]: '../../etc/passwd' } }), 'WEIGHTS_BAD_HEADER'],
    ['an index of a missing file', index({ weight_map: { [norm]: 'model-00001.safetensors' } }), 'MODEL_UNREADABLE'],
  ])('%s', async (_case, files, code) => {
    await expect(world.importFiles(files)).rejects.toThrow(expect.objectContaining({ code }))
    expect(world.leftovers()).toEqual([])
  })

  test.each(['', '.', '..', '.hidden', 'a/b', 'a\\b', '../up', '/root', 'a b', 'nul', 'x'.repeat(65), 'a.', 'é'])(
    'the name %j',
    async (name) => {
      const act = world.importFiles(tinyFiles(), { name })
      await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_BAD_NAME' }))
      expect(world.leftovers()).toEqual([])
    },
  )

  test.each<[string, Partial<ImportOptions>, string]>([
    ['more segments than layers', { segments: 3 }, 'MODEL_BAD_SEGMENTS'],
    ['a full disk', { freeBytes: async () => 1_000 }, 'MODEL_NO_SPACE'],
    ['a quota smaller than the model', { quotaBytes: 1_000 }, 'SHARD_QUOTA'],
  ])('%s', async (_case, options, code) => {
    await expect(world.importFiles(tinyFiles(), options)).rejects.toThrow(expect.objectContaining({ code }))
    expect(world.leftovers()).toEqual([])
  })

  test('a folder that is not there', async () => {
    const act = importModel({ folder: join(world.root, 'nowhere'), home: world.home, format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test('a weight file that is a folder', async () => {
    const folder = writeFolder(world.root, tinyFiles({ 'model.safetensors': undefined }))
    mkdirSync(join(folder, 'model.safetensors'))
    const act = importModel({ folder, home: world.home, name: 'tiny', format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test.skipIf(process.getuid?.() === 0)('a weight file that may not be read', async () => {
    const folder = writeFolder(world.root, tinyFiles())
    chmodSync(join(folder, 'model.safetensors'), 0)
    const act = importModel({ folder, home: world.home, name: 'tiny', format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test('a home that is a file', async () => {
    writeFileSync(world.home, '')
    const act = world.importFiles(tinyFiles())
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNWRITABLE' }))
  })

  test('a NaN among the weights, on threads', async () => {
    const files = weights(changed(query, withValue(Number.NaN)))
    const act = world.importFiles(files, { format: 'q4', threads: 2 })
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'WEIGHTS_NOT_FINITE' }))
    expect(world.leftovers()).toEqual([])
  })

  test('an abort in the middle', async () => {
    const controller = new AbortController()
    const reason = new Error('stop')
    const onProgress = (): void => controller.abort(reason)
    await expect(world.importFiles(tinyFiles(), { onProgress }, controller.signal)).rejects.toBe(reason)
    expect(world.leftovers()).toEqual([])
  })
})
