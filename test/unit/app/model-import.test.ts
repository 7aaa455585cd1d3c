import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { importModel } from '../../../src/app/model-import.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { loadTokenizer } from '../../../src/app/model-tokenizer.ts'
import { rootOfBytes } from '../../../src/app/shards/chunk-hash.ts'
import {
  asHalves,
  changed,
  safetensors,
  TINY_CONFIG,
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

describe('an import', () => {
  test('keeps every f32 weight', async () => {
    const model = await world.importFiles(tinyFiles())
    const source = openModelStore({ home: world.home }).openWeights(model, 0, 2)
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
    const model = await world.importFiles(tinyFiles(), { format })
    const source = openModelStore({ home: world.home }).openWeights(model, 0, 2)
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
    const plain = await world.importFiles(tinyFiles())
    const model = await world.importFiles(weights(halves), { force: true })
    expect(model.hash).toBe(plain.hash)
  })

  test('of sharded weights gives the model that one file gives', async () => {
    const plain = await world.importFiles(tinyFiles())
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
    rmSync(join(world.root, 'tiny'), { recursive: true })
    expect((await world.importFiles(files, { force: true })).hash).toBe(plain.hash)
  })

  test('puts its shards into the store, by their content, and nothing else', async () => {
    const model = await world.importFiles(tinyFiles())
    const roots = model.manifest.segments.map(({ shard }) => shard.root)
    expect(readdirSync(model.shardsFolder).sort()).toEqual(roots.flatMap((root) => [root, `${root}.leaves`]).sort())
    for (const [index, root] of roots.entries()) {
      const bytes = readFileSync(join(model.shardsFolder, root))
      expect([rootOfBytes(bytes), bytes.length]).toEqual([root, model.manifest.segments[index]!.shard.bytes])
    }
    expect(readdirSync(model.directory).sort()).toEqual(
      ['manifest.json', ...model.manifest.files.map(({ name }) => name)].sort(),
    )
  })

  test('twice gives the same bytes', async () => {
    const first = await world.importFiles(tinyFiles(), { format: 'q4' })
    const second = await world.importFiles(tinyFiles(), { format: 'q4', force: true })
    expect(second).toEqual(first)
  })

  test.each(['q8', 'q4'] as const)('as %s gives the same bytes on any number of threads', async (format) => {
    const one = await world.importFiles(tinyFiles(), { format, threads: 1 })
    const three = await world.importFiles(tinyFiles(), { format, threads: 3, force: true })
    expect(three.hash).toBe(one.hash)
  })

  test('of a tied head copies the embedding, whether or not the file has a head', async () => {
    const config = { ...TINY_CONFIG, tie_word_embeddings: true }
    const without = changed('lm_head.weight', () => undefined)
    const model = await world.importFiles({ ...weights(without), 'config.json': config })
    const source = openModelStore({ home: world.home }).openWeights(model, 0, 2)
    expect(source.matrix('head')).toEqual(source.matrix('embedding'))
    source.close()
    const withHead = await world.importFiles(tinyFiles({ 'config.json': config }), { force: true })
    expect(withHead.hash).toBe(model.hash)
  })

  test('leaves out rotary frequencies, which old exports carry', async () => {
    const tensors = tinyTensors()
    tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', tensors.get('model.norm.weight')!)
    const plain = await world.importFiles(tinyFiles())
    expect((await world.importFiles(weights(tensors), { force: true })).hash).toBe(plain.hash)
  })

  test('without a tokenizer warns, and chat is refused later', async () => {
    const folder = writeFolder(world.root, tinyFiles({ 'tokenizer.json': undefined }))
    const { model, warnings } = await importModel({ folder, home: world.home, name: 'tiny', format: 'f32' }, never)
    expect(warnings).toHaveLength(1)
    await expect(loadTokenizer(model)).rejects.toThrow(expect.objectContaining({ code: 'TOKENIZER_MISSING' }))
  })

  test('reports progress that ends at the whole', async () => {
    const seen: number[] = []
    let total = 0
    await world.importFiles(tinyFiles(), {
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
    const { manifest } = await world.importFiles(files)
    expect(manifest.config).toMatchObject({ beginToken: undefined, endTokens: [1] })
  })
})

describe('a model that is there', () => {
  test('is not replaced unless forced', async () => {
    const first = await world.importFiles(tinyFiles())
    const act = world.importFiles(tinyFiles(), { format: 'q8' })
    await expect(act).rejects.toThrow(expect.objectContaining({ code: 'MODEL_EXISTS' }))
    expect(openModelStore({ home: world.home }).find('tiny').hash).toBe(first.hash)
    const forced = await world.importFiles(tinyFiles(), { format: 'q8', force: true })
    expect(openModelStore({ home: world.home }).find('tiny').hash).toBe(forced.hash)
    expect(world.leftovers()).toEqual(['tiny'])
  })

  test('stays when its forced replacement fails', async () => {
    const first = await world.importFiles(tinyFiles())
    const broken = weights(changed('model.norm.weight', withValue(Number.NaN)))
    await expect(world.importFiles(broken, { force: true })).rejects.toThrow()
    expect(openModelStore({ home: world.home }).find('tiny').hash).toBe(first.hash)
    expect(world.leftovers()).toEqual(['tiny'])
  })

  test('keeps what a running import writes and loses what a dead one left', async () => {
    const running = `.importing-${process.pid}-aaaaaa`
    const dead = '.importing-999999999-bbbbbb'
    for (const name of [running, dead]) mkdirSync(join(world.home, 'models', name), { recursive: true })
    await world.importFiles(tinyFiles())
    expect(world.leftovers().sort()).toEqual([running, 'tiny'])
  })
})

test('the manifest on disk is the one that the hash names', async () => {
  const model = await world.importFiles(tinyFiles())
  expect(readFileSync(join(model.directory, 'manifest.json'), 'utf8')).toContain('"spec": "exact-1"')
  expect(
    openModelStore({ home: world.home })
      .list()
      .map(({ hash }) => hash),
  ).toContain(model.hash)
})
