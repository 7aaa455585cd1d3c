import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keepCanary, noteCanary, notedCanary, readCanary } from '../../../../src/app/canary/canary-files.ts'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { rootOfBytes } from '../../../../src/app/shards/chunk-hash.ts'
import { readNamedRoots, readUses } from '../../../../src/app/shards/model-references.ts'
import { openShardStore } from '../../../../src/app/shards/shard-store.ts'
import { hash } from '../../../../src/base/brand.ts'
import { type Canary, encodeCanary } from '../../../../src/ml/canary.ts'

const model = openModelStore({ home: tmpdir() }).find('genesis')
const { hiddenSize } = model.manifest.config
const digest = hash('ab'.repeat(32))
const tokens = Int32Array.of(1, 2)
const borders = model.manifest.segments.slice(1).map(() => new Float32Array(tokens.length * hiddenSize).fill(0.5))
const canary: Canary = { model: model.hash, prompts: [{ tokens, borders, logits: digest }] }
let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'dllm-canary-'))
})
afterEach(() => rm(home, { recursive: true }))

test('a canary that was made here is in the store, named by the model, and read again', async () => {
  const store = openShardStore({ home })
  expect(notedCanary(home, model)).toBeUndefined()
  const file = await keepCanary({ home, store }, model, canary)
  expect(notedCanary(home, model)).toEqual(file)
  expect(file.root).toBe(rootOfBytes(encodeCanary(canary)))
  expect(await readCanary(model, file, store)).toEqual(canary)
  expect(await keepCanary({ home, store }, model, canary)).toEqual(file)
  expect(await readdir(join(home, 'models', model.manifest.name))).toEqual(['canary.json'])
})

describe('refused:', () => {
  const put = async (bytes: Uint8Array) => {
    const store = openShardStore({ home })
    await keepCanary({ home, store }, model, canary)
    const root = rootOfBytes(bytes)
    await writeFile(store.pathOf(root), bytes)
    return { file: { root, bytes: bytes.length }, store }
  }
  const other = { ...canary, model: digest }

  test.each([
    ['the canary of another model', () => put(encodeCanary(other)), 'MODEL_BAD_CANARY'],
    ['a file that is none', () => put(new Uint8Array(40)), 'MODEL_BAD_CANARY'],
    ['a file longer than any canary of it', () => put(new Uint8Array(1 << 20)), 'MODEL_BAD_CANARY'],
  ])('%s', async (_, made, code) => {
    const { file, store } = await made()
    await expect(readCanary(model, file, store)).rejects.toMatchObject({ code })
  })

  test('a file that was changed', async () => {
    const { file, store } = await put(encodeCanary(canary))
    await writeFile(store.pathOf(file.root), encodeCanary(other))
    await expect(readCanary(model, file, store)).rejects.toMatchObject({ code: 'MODEL_BAD_CANARY' })
  })

  test('a file that is not there', async () => {
    const store = openShardStore({ home })
    await expect(readCanary(model, { root: digest, bytes: 10 }, store)).rejects.toMatchObject({
      code: 'MODEL_UNREADABLE',
    })
  })
})

test('a note that cannot be read names nothing', async () => {
  await noteCanary(home, model, { root: digest, bytes: 10 })
  const path = join(home, 'models', model.manifest.name, 'canary.json')
  for (const text of ['', '{}', '{"root":"x","bytes":1}', '{"root":1,"bytes":1}', `{"root":"${digest}","bytes":-1}`]) {
    await writeFile(path, text)
    expect(notedCanary(home, model)).toBeUndefined()
  }
})

test('the canary counts as a file of its model', async () => {
  const { root } = await keepCanary({ home, store: openShardStore({ home }) }, model, canary)
  expect(readNamedRoots(home).roots).toContain(root)
  expect(readUses(home).get(root)).toMatchObject([{ model: { hash: model.hash }, segment: undefined }])
})
