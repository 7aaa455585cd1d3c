/** What a miner asks of its disk and of others as versions come and go. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepCanary } from '../../../../src/app/canary/canary-files.ts'
import { openModelStore, type StoredModel } from '../../../../src/app/model-store.ts'
import { createVersionFiles, type VersionFiles } from '../../../../src/app/posts/version-files.ts'
import { openShardStore, type ShardStore } from '../../../../src/app/shards/shard-store.ts'
import { hash } from '../../../../src/base/brand.ts'
import type { Canary } from '../../../../src/ml/canary.ts'

const NEVER = new AbortController().signal
const MODELS = join(import.meta.dirname, '../../../../models')

let home: string
let store: ShardStore
let versions: VersionFiles
/** What was asked of other peers. */
let asked: string[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dllm-versions-'))
  const twin = join(home, 'models', 'twin')
  cpSync(join(MODELS, 'genesis'), twin, { recursive: true })
  const manifest = readFileSync(join(twin, 'manifest.json'), 'utf8')
  writeFileSync(join(twin, 'manifest.json'), manifest.replace('"name": "genesis"', '"name": "twin"'))
  store = openShardStore({ home })
  asked = []
  const fetcher = {
    model: async (text: string) => {
      asked.push(text)
      return openModelStore({ home }).find('genesis')
    },
    files: async () => {
      asked.push('files')
      throw new Error('nobody has it')
    },
  }
  versions = createVersionFiles({ home, store, fetcher: async () => fetcher })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function twin(): StoredModel {
  return openModelStore({ home }).find('twin')
}

/** Of one row of made-up numbers. */
function canaryOf({ hash: model, manifest }: StoredModel): Canary {
  const borders = manifest.segments.slice(1).map(() => new Float32Array(manifest.config.hiddenSize).fill(0.5))
  return { model, prompts: [{ tokens: Int32Array.of(1), borders, logits: hash('0c'.repeat(32)) }] }
}

test('a model that is here is found by its hash, and no other peer is asked; the manifest of another is fetched', async () => {
  expect((await versions.find(twin().hash, NEVER)).manifest.name).toBe('twin')
  expect(asked).toEqual([])
  const far = hash('ab'.repeat(32))
  await versions.find(far, NEVER)
  expect(asked).toEqual([far])
})

test('a canary that is here is read, compared and not fetched; one that is not is asked for', async () => {
  const file = await keepCanary({ home, store }, twin(), canaryOf(twin()))
  expect(await versions.canary(twin(), file, NEVER)).toEqual(canaryOf(twin()))
  expect(asked).toEqual([])
  await expect(versions.canary(twin(), { root: hash('0d'.repeat(32)), bytes: 100 }, NEVER)).rejects.toThrow(
    'nobody has it',
  )
  expect(asked).toEqual(['files'])
})

test('a model is removed with what no other one needs, and what comes with the program stays', async () => {
  const { root } = await keepCanary({ home, store }, twin(), canaryOf(twin()))
  expect(existsSync(store.pathOf(root))).toBe(true)
  expect(await versions.remove(twin())).toBeGreaterThan(0)
  expect(existsSync(join(home, 'models', 'twin'))).toBe(false)
  expect(existsSync(store.pathOf(root))).toBe(false)
  expect(await versions.remove(openModelStore({ home }).find('genesis'))).toBe(0)
})

test('another model that has its name by now is not removed', async () => {
  const former = { ...twin(), hash: hash('ab'.repeat(32)) }
  expect(await versions.remove(former)).toBe(0)
  expect(existsSync(join(home, 'models', 'twin', 'manifest.json'))).toBe(true)
})
