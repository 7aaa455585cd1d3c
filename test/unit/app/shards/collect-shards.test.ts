/** What a collection takes, and what it leaves. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { collectShards } from '../../../../src/app/shards/collect-shards.ts'
import { filesOf } from '../../../../src/app/shards/model-files.ts'
import { openShardStore, type ShardStore } from '../../../../src/app/shards/shard-store.ts'
import type { Hash } from '../../../../src/base/brand.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { encodeManifest } from '../../../../src/ml/manifest.ts'
import { type Content, chunkOf, contentOf, fileOf, NEVER, newHome, writeAll } from './store-world.ts'

const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
const manifest = { ...genesis.manifest, name: 'copy' }
const [shard] = filesOf(manifest)
const named = contentOf(readFileSync(join(genesis.directory, shard!.name)))
const stranger = fileOf(2 * CHUNK_BYTES)

let home: string
let store: ShardStore
beforeEach(() => {
  home = newHome()
  store = openShardStore({ home })
})

const collect = (options = {}) => collectShards({ home, ...options })
const names = (): string[] => readdirSync(store.folder).sort()

async function put(file: Content): Promise<void> {
  const partial = (await store.begin(file, file.leaves, NEVER))!
  await writeAll(partial, file)
  await partial.finish()
}

/** An unfinished file that nobody has open. */
async function leave(file: Content): Promise<void> {
  const partial = (await store.begin(file, file.leaves, NEVER))!
  await partial.write(0, chunkOf(file, 0))
  await partial.close()
}

test('a whole file goes when no manifest names it, with its leaves', async () => {
  await put(stranger)
  await put(named)
  // Genesis, which comes with the program, names it.
  expect(await collect()).toEqual([{ root: stranger.root, bytes: stranger.bytes, why: 'unused' }])
  expect(names()).toEqual([named.root, `${named.root}.leaves`])
})

test('a dry run says the same and takes nothing', async () => {
  await put(stranger)
  await leave(fileOf(2 * CHUNK_BYTES, 1))
  const before = names()
  const said = await collect({ isDryRun: true })
  expect(names()).toEqual(before)
  expect(await collect()).toEqual(said)
  expect(names()).toEqual([])
})

test('what the caller keeps stays', async () => {
  await put(stranger)
  expect(await collect({ keep: new Set([stranger.root]) })).toEqual([])
})

describe('an unfinished file', () => {
  test('goes when no manifest names it', async () => {
    await leave(stranger)
    expect(await collect()).toMatchObject([{ root: stranger.root, why: 'unused' }])
    expect(names()).toEqual([])
  })

  test('stays while somebody has it open', async () => {
    const partial = (await store.begin(stranger, stranger.leaves, NEVER))!
    expect(await collect()).toEqual([])
    await writeAll(partial, stranger)
    expect(readFileSync(await partial.finish()).equals(stranger.content)).toBe(true)
  })

  test('that a manifest names stays, however long nobody has gone on with it', async () => {
    await leave(named)
    const longAgo = new Date('2001-01-01')
    for (const kind of ['part', 'have']) utimesSync(join(store.folder, `${named.root}.${kind}`), longAgo, longAgo)
    expect(await collect()).toEqual([])
  })

  test('goes when the file is whole as well', async () => {
    await leave(named)
    writeFileSync(store.pathOf(named.root), named.content)
    expect(await collect()).toMatchObject([{ root: named.root, why: 'finished elsewhere' }])
    expect(names()).toEqual([named.root, `${named.root}.leaves`])
  })
})

describe('a file stays', () => {
  test('that a model began to need while the collection ran', async () => {
    await put(stranger)
    const other = { ...manifest.files[0]!, root: stranger.root, bytes: stranger.bytes }
    // The collection has looked at the manifests when it asks what to keep.
    const keep = new Set<Hash>()
    keep.has = () => {
      mkdirSync(join(home, 'models', 'copy'), { recursive: true })
      writeFileSync(join(home, 'models', 'copy', 'manifest.json'), encodeManifest({ ...manifest, files: [other] }))
      return false
    }
    expect(await collect({ keep })).toEqual([])
    expect(names()).toEqual([stranger.root, `${stranger.root}.leaves`].sort())
  })

  test('that an import which has not ended names', async () => {
    await put(stranger)
    const folder = join(home, 'models', `.importing-${process.pid}-abc`)
    mkdirSync(folder, { recursive: true })
    const other = { ...manifest.files[0]!, root: stranger.root, bytes: stranger.bytes }
    writeFileSync(join(folder, 'manifest.json'), encodeManifest({ ...manifest, files: [other] }))
    expect(await collect()).toEqual([])
  })

  test('that a collection which was killed had hidden', async () => {
    await put(named)
    renameSync(store.pathOf(named.root), `${store.pathOf(named.root)}.gone`)
    expect(await collect()).toEqual([])
    expect(await store.has(named)).toBe(true)
  })
})

test('nothing goes while a manifest cannot be read', async () => {
  await put(stranger)
  mkdirSync(join(home, 'models', 'broken'), { recursive: true })
  writeFileSync(join(home, 'models', 'broken', 'manifest.json'), '{')
  await expect(collect()).rejects.toThrow(expect.objectContaining({ code: 'SHARD_GC_UNSURE' }))
  expect(await store.has(stranger)).toBe(true)
})

test('locks and notes of processes that were killed go', async () => {
  await put(named)
  const path = store.pathOf(named.root)
  writeFileSync(`${path}.lock`, '999999999')
  writeFileSync(`${path}.have`, 'xyz')
  const other = store.pathOf(stranger.root)
  writeFileSync(`${other}.leaves`, stranger.leaves)
  writeFileSync(`${other}.lock`, '999999999')
  expect(await collect()).toEqual([])
  expect(names()).toEqual([named.root, `${named.root}.leaves`])
})

test('without a store there is nothing to collect', async () => {
  expect(await collect()).toEqual([])
  expect(existsSync(store.folder)).toBe(false)
})
