import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ImportOptions, importModel } from '../../../src/app/model-import.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { loadTokenizer } from '../../../src/app/model-tokenizer.ts'
import {
  asHalves,
  type Files,
  type SourceTensor,
  safetensors,
  type Tensors,
  TINY_CONFIG,
  TINY_TOKENIZER,
  tinyFiles,
  tinyTensors,
  writeFolder,
} from './hugging-face-folder.ts'

let root: string
let home: string
const never = new AbortController().signal

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-import-'))
  home = join(root, 'home')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function importFiles(files: Files, options: Partial<ImportOptions> = {}, signal = never) {
  const folder = writeFolder(root, files)
  const { model } = await importModel({ folder, home, name: 'tiny', format: 'f32', ...options }, signal)
  return model
}

/** Names in the models folder, hidden ones included. */
function leftovers(): string[] {
  const models = join(home, 'models')
  return existsSync(models) ? readdirSync(models) : []
}

function changed(name: string, change: (tensor: SourceTensor) => SourceTensor | undefined): Tensors {
  const tensors = tinyTensors()
  const next = change(tensors.get(name)!)
  if (next === undefined) tensors.delete(name)
  else tensors.set(name, next)
  return tensors
}

function weights(tensors: Tensors, header?: (json: Record<string, unknown>) => void): Files {
  return tinyFiles({ 'model.safetensors': safetensors(tensors, header) })
}

function withValue(value: number): (tensor: SourceTensor) => SourceTensor {
  return (tensor) => {
    const values = new Float32Array(tensor.data.slice().buffer)
    values[5] = value
    return { ...tensor, data: new Uint8Array(values.buffer) }
  }
}

describe('an import', () => {
  test('keeps every f32 weight', async () => {
    const model = await importFiles(tinyFiles())
    const source = openModelStore({ home }).openWeights(model, 0, 2)
    const down = tinyTensors().get('model.layers.1.mlp.down_proj.weight')!
    expect(source.matrix('layers.1.down')).toEqual({
      format: 'f32',
      rows: 8,
      columns: 12,
      values: new Float32Array(down.data.slice().buffer),
    })
    const gains = tinyTensors().get('model.norm.weight')!
    expect(source.vector('outputNorm')).toEqual(new Float32Array(gains.data.slice().buffer))
    source.close()
  })

  test.each(['q8', 'q4'] as const)('as %s has the shapes of the plan', async (format) => {
    const model = await importFiles(tinyFiles(), { format })
    const source = openModelStore({ home }).openWeights(model, 0, 2)
    const matrix = source.matrix('head')
    expect(matrix).toMatchObject({ format, rows: 16, columns: 8 })
    expect(format === 'q8' && 'values' in matrix ? matrix.values.length : 16 * 32).toBe(16 * 32)
    expect(source.vector('layers.0.attentionNorm').length).toBe(8)
    expect(() => source.matrix('layers.2.query')).toThrow(expect.objectContaining({ code: 'MODEL_BAD_SHARD' }))
    expect(() => source.vector('head')).toThrow(expect.objectContaining({ code: 'MODEL_BAD_SHARD' }))
    source.close()
  })

  test.each(['F16', 'BF16'] as const)('of %s gives the model that F32 gives', async (dtype) => {
    const halves = new Map([...tinyTensors()].map(([name, tensor]) => [name, asHalves(tensor, dtype)]))
    const plain = await importFiles(tinyFiles())
    const model = await importFiles(weights(halves), { force: true })
    expect(model.hash).toBe(plain.hash)
  })

  test('of sharded weights gives the model that one file gives', async () => {
    const plain = await importFiles(tinyFiles())
    const tensors = [...tinyTensors()]
    const parts = [new Map(tensors.slice(0, 9)), new Map(tensors.slice(9))]
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const map = parts.flatMap((part, index) => [...part.keys()].map((name) => [name, names[index]]))
    const files = tinyFiles({
      'model.safetensors': undefined,
      'model.safetensors.index.json': { weight_map: Object.fromEntries(map) },
      [names[0]!]: safetensors(parts[0]!),
      [names[1]!]: safetensors(parts[1]!),
    })
    rmSync(join(root, 'tiny'), { recursive: true })
    expect((await importFiles(files, { force: true })).hash).toBe(plain.hash)
  })

  test('twice gives the same bytes', async () => {
    const first = await importFiles(tinyFiles(), { format: 'q4' })
    const second = await importFiles(tinyFiles(), { format: 'q4', force: true })
    expect(second).toEqual(first)
  })

  test('of a tied head copies the embedding, whether or not the file has a head', async () => {
    const config = { ...TINY_CONFIG, tie_word_embeddings: true }
    const without = changed('lm_head.weight', () => undefined)
    const model = await importFiles({ ...weights(without), 'config.json': config })
    const source = openModelStore({ home }).openWeights(model, 0, 2)
    expect(source.matrix('head')).toEqual(source.matrix('embedding'))
    source.close()
    const withHead = await importFiles(tinyFiles({ 'config.json': config }), { force: true })
    expect(withHead.hash).toBe(model.hash)
  })

  test('leaves out rotary frequencies, which old exports carry', async () => {
    const tensors = tinyTensors()
    tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', tensors.get('model.norm.weight')!)
    const plain = await importFiles(tinyFiles())
    expect((await importFiles(weights(tensors), { force: true })).hash).toBe(plain.hash)
  })

  test('without a tokenizer warns, and chat is refused later', async () => {
    const folder = writeFolder(root, tinyFiles({ 'tokenizer.json': undefined }))
    const { model, warnings } = await importModel({ folder, home, name: 'tiny', format: 'f32' }, never)
    expect(warnings).toHaveLength(1)
    await expect(loadTokenizer(model)).rejects.toThrow(expect.objectContaining({ code: 'TOKENIZER_MISSING' }))
  })

  test('reports progress that ends at the whole', async () => {
    const seen: number[] = []
    let total = 0
    await importFiles(tinyFiles(), {
      onProgress: ({ doneBytes, totalBytes }) => {
        seen.push(doneBytes)
        total = totalBytes
      },
    })
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(total)
  })

  test('takes the begin and end tokens from the tokenizer', async () => {
    const files = tinyFiles({ 'tokenizer_config.json': { add_bos_token: false, eos_token: '</s>' } })
    const { manifest } = await importFiles(files)
    expect(manifest.config).toMatchObject({ beginToken: undefined, endTokens: [1] })
  })
})

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
    await expect(importFiles(files)).rejects.toThrow(expect.objectContaining({ code }))
    expect(leftovers()).toEqual([])
  })

  test.each(['', '.', '..', '.hidden', 'a/b', 'a\\b', '../up', '/root', 'a b', 'nul', 'x'.repeat(65), 'a.', 'é'])(
    'the name %j',
    async (name) => {
      const act = importFiles(tinyFiles(), { name })
      await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_BAD_NAME' }))
      expect(leftovers()).toEqual([])
    },
  )

  test.each<[string, Partial<ImportOptions>, string]>([
    ['more segments than layers', { segments: 3 }, 'MODEL_BAD_SEGMENTS'],
    ['a full disk', { freeBytes: async () => 1_000 }, 'MODEL_NO_SPACE'],
  ])('%s', async (_case, options, code) => {
    await expect(importFiles(tinyFiles(), options)).rejects.toThrow(expect.objectContaining({ code }))
    expect(leftovers()).toEqual([])
  })

  test('a folder that is not there', async () => {
    const act = importModel({ folder: join(root, 'nowhere'), home, format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test.skipIf(process.getuid?.() === 0)('a weight file that may not be read', async () => {
    const folder = writeFolder(root, tinyFiles())
    chmodSync(join(folder, 'model.safetensors'), 0)
    const act = importModel({ folder, home, name: 'tiny', format: 'f32' }, never)
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }))
  })

  test('a home that is a file', async () => {
    writeFileSync(home, '')
    const act = importFiles(tinyFiles())
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_UNWRITABLE' }))
  })

  test('an abort in the middle', async () => {
    const controller = new AbortController()
    const reason = new Error('stop')
    const onProgress = (): void => controller.abort(reason)
    await expect(importFiles(tinyFiles(), { onProgress }, controller.signal)).rejects.toBe(reason)
    expect(leftovers()).toEqual([])
  })
})

describe('a model that is there', () => {
  test('is not replaced unless forced', async () => {
    const first = await importFiles(tinyFiles())
    const act = importFiles(tinyFiles(), { format: 'q8' })
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_EXISTS' }))
    expect(openModelStore({ home }).find('tiny').hash).toBe(first.hash)
    const forced = await importFiles(tinyFiles(), { format: 'q8', force: true })
    expect(openModelStore({ home }).find('tiny').hash).toBe(forced.hash)
    expect(leftovers()).toEqual(['tiny'])
  })

  test('stays when its forced replacement fails', async () => {
    const first = await importFiles(tinyFiles())
    const broken = weights(changed('model.norm.weight', withValue(Number.NaN)))
    await expect(importFiles(broken, { force: true })).rejects.toThrow()
    expect(openModelStore({ home }).find('tiny').hash).toBe(first.hash)
    expect(leftovers()).toEqual(['tiny'])
  })

  test('keeps what a running import writes and loses what a dead one left', async () => {
    const running = `.importing-${process.pid}-aaaaaa`
    const dead = '.importing-999999999-bbbbbb'
    for (const name of [running, dead]) mkdirSync(join(home, 'models', name), { recursive: true })
    await importFiles(tinyFiles())
    expect(leftovers().sort()).toEqual([running, 'tiny'])
  })
})

test('the manifest on disk is the one that the hash names', async () => {
  const model = await importFiles(tinyFiles())
  expect(readFileSync(join(model.directory, 'manifest.json'), 'utf8')).toContain('"spec": "exact-1"')
  expect(
    openModelStore({ home })
      .list()
      .map(({ hash }) => hash),
  ).toContain(model.hash)
})
