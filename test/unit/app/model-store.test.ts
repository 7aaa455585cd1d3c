import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openModelStore } from '../../../src/app/model-store.ts'
import { verifyModel } from '../../../src/app/model-verify.ts'

const embedded = fileURLToPath(new URL('../../../models/genesis', import.meta.url))
const never = new AbortController().signal
let home: string
let copy: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dllm-store-'))
  copy = join(home, 'models', 'genesis')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function copyGenesis(): void {
  mkdirSync(join(home, 'models'))
  cpSync(embedded, copy, { recursive: true })
}

function flipByte(file: string, at: number): void {
  const bytes = readFileSync(join(copy, file))
  bytes[at]! ^= 1
  writeFileSync(join(copy, file), bytes)
}

describe('a model store', () => {
  test('has genesis in an empty home', () => {
    const store = openModelStore({ home })
    expect(store.list().map(({ manifest }) => manifest.name)).toEqual(['genesis'])
    expect(store.find('genesis')).toMatchObject({ isEmbedded: true, directory: embedded })
  })

  test('puts a model of the home before an embedded one', () => {
    copyGenesis()
    expect(openModelStore({ home }).find('genesis')).toMatchObject({ isEmbedded: false, directory: copy })
    expect(openModelStore({ home }).list()).toHaveLength(1)
  })

  test('names what there is when a model is missing', () => {
    const act = () => openModelStore({ home }).find('llama')
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }))
    expect(act).toThrow(/genesis/)
  })

  test('lists a folder with a damaged manifest as broken', () => {
    copyGenesis()
    writeFileSync(join(copy, 'manifest.json'), '{}')
    const store = openModelStore({ home })
    expect(store.list()).toEqual([])
    expect(store.broken().map(({ name }) => name)).toEqual(['genesis'])
    expect(() => store.find('genesis')).toThrow(expect.objectContaining({ code: 'MODEL_BAD_MANIFEST' }))
  })

  test('refuses a manifest in a folder of another name', () => {
    mkdirSync(join(home, 'models'))
    cpSync(embedded, join(home, 'models', 'other'), { recursive: true })
    const act = () => openModelStore({ home }).find('other')
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_BAD_MANIFEST' }))
  })

  test.each(['../genesis', 'a/b', ''])('refuses the name %j before it looks', (name) => {
    expect(() => openModelStore({ home }).find(name)).toThrow(expect.objectContaining({ code: 'MODEL_BAD_NAME' }))
  })
})

describe('shards', () => {
  test('of some segments hold their tensors and no others', () => {
    const store = openModelStore({ home })
    const weights = store.openWeights(store.find('genesis'), 1, 3)
    expect(weights.matrix('layers.2.gate')).toMatchObject({ format: 'q8', rows: 512, columns: 192 })
    for (const name of ['layers.0.gate', 'layers.3.gate', 'embedding', 'head']) {
      expect(() => weights.matrix(name)).toThrow(expect.objectContaining({ code: 'MODEL_BAD_SHARD' }))
    }
    weights.close()
  })

  test.each<[string, string, () => void]>([
    ['a changed weight', 'MODEL_BAD_SHARD', () => flipByte('segment-001.shard', 300_000)],
    ['a changed header', 'MODEL_BAD_SHARD', () => flipByte('segment-001.shard', 40)],
    ['another magic', 'MODEL_BAD_SHARD', () => flipByte('segment-001.shard', 0)],
    ['another version', 'MODEL_BAD_SHARD', () => flipByte('segment-001.shard', 8)],
    ['a header length that lies', 'MODEL_BAD_SHARD', () => flipByte('segment-001.shard', 15)],
    ['a shorter file', 'MODEL_BAD_SHARD', () => truncateSync(join(copy, 'segment-001.shard'), 1_000)],
    ['an empty file', 'MODEL_BAD_SHARD', () => truncateSync(join(copy, 'segment-001.shard'), 0)],
    [
      'the shard of another segment',
      'MODEL_BAD_SHARD',
      () => cpSync(join(copy, 'segment-002.shard'), join(copy, 'segment-001.shard')),
    ],
    ['a missing file', 'MODEL_UNREADABLE', () => rmSync(join(copy, 'segment-001.shard'))],
  ])('with %s are refused', (_case, code, damage) => {
    copyGenesis()
    damage()
    const store = openModelStore({ home })
    expect(() => store.openWeights(store.find('genesis'), 0, 6)).toThrow(expect.objectContaining({ code }))
    store.openWeights(store.find('genesis'), 2, 6).close() // the others are still good
  })
})

describe('verification', () => {
  test('finds nothing wrong with genesis', async () => {
    const files = await verifyModel(openModelStore({ home }).find('genesis'), () => {}, never)
    expect(files).toHaveLength(8)
    expect(files.every(({ status }) => status === 'ok')).toBe(true)
  })

  test('says what is wrong with each file', async () => {
    copyGenesis()
    flipByte('segment-001.shard', 300_000)
    truncateSync(join(copy, 'segment-002.shard'), 5)
    rmSync(join(copy, 'segment-003.shard'))
    flipByte('tokenizer.json', 100)
    const files = await verifyModel(openModelStore({ home }).find('genesis'), () => {}, never)
    expect(files.filter(({ status }) => status !== 'ok').map(({ name, status }) => [name, status])).toEqual([
      ['segment-001.shard', 'wrong content'],
      ['segment-002.shard', 'wrong size'],
      ['segment-003.shard', 'missing'],
      ['tokenizer.json', 'wrong content'],
    ])
  })
})
