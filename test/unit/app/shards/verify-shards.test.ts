/** Damaged files are found, set aside, and fetched again no further than they are damaged. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { openModelStore } from '../../../../src/app/model-store.ts'
import { chunksIn } from '../../../../src/app/shards/chunk-map.ts'
import { listShards } from '../../../../src/app/shards/list-shards.ts'
import { filesOf, missingFiles } from '../../../../src/app/shards/model-files.ts'
import { openShardStore, type ShardStore } from '../../../../src/app/shards/shard-store.ts'
import { verifyShards } from '../../../../src/app/shards/verify-shards.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { chunkOf, fileOf, NEVER, newHome, writeAll } from './store-world.ts'

const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
const file = fileOf(3 * CHUNK_BYTES + 9)

let home: string
let store: ShardStore
beforeEach(async () => {
  home = newHome()
  store = openShardStore({ home })
})

const verify = (model?: string) => verifyShards({ home, model, onProgress: () => undefined }, NEVER)
const inStore = async () => (await verify()).filter(({ place }) => place === 'store')

async function put(): Promise<void> {
  const partial = (await store.begin(file, file.leaves, NEVER))!
  await writeAll(partial, file)
  await partial.finish()
}

describe('a file of the store', () => {
  beforeEach(put)

  test('that is right stays', async () => {
    expect(await inStore()).toMatchObject([{ root: file.root, status: 'ok', rightChunks: 4, isSetAside: false }])
    expect(await store.has(file)).toBe(true)
  })

  test.each([
    ['a changed byte', (bytes: Buffer) => bytes.fill(bytes[CHUNK_BYTES]! ^ 1, CHUNK_BYTES, CHUNK_BYTES + 1), [0, 2, 3]],
    ['a chunk of zeros', (bytes: Buffer) => bytes.fill(0, 0, CHUNK_BYTES), [1, 2, 3]],
  ])('with %s is set aside, and the other chunks are kept', async (_case, change, kept) => {
    writeFileSync(store.pathOf(file.root), change(Buffer.from(file.content)))
    expect(await inStore()).toMatchObject([{ status: 'damaged', rightChunks: kept.length, isSetAside: true }])
    expect(await store.has(file)).toBe(false)
    expect(await inStore()).toMatchObject([{ status: 'unfinished' }])
    const partial = (await store.begin(file, file.leaves, NEVER))!
    expect(chunksIn(partial.map)).toEqual(kept)
    for (const index of [0, 1]) await partial.write(index, chunkOf(file, index))
    expect(readFileSync(await partial.finish()).equals(file.content)).toBe(true)
  })

  test('whose leaves are gone as well is set aside as a whole', async () => {
    rmSync(`${store.pathOf(file.root)}.leaves`)
    truncateSync(store.pathOf(file.root), 5)
    expect(await inStore()).toMatchObject([{ status: 'damaged', rightChunks: undefined, isSetAside: true }])
    const partial = (await store.begin(file, file.leaves, NEVER))!
    expect(chunksIn(partial.map)).toEqual([])
    await partial.close()
  })
})

describe('a file in the folder of its model', () => {
  const [first, second] = filesOf(genesis.manifest)

  test('comes with the program, and is only told of', async () => {
    const files = await verify('genesis')
    expect(files.map(({ status, isEmbedded, place }) => [status, isEmbedded, place])).toEqual(
      Array.from({ length: 8 }, () => ['ok', true, 'model']),
    )
  })

  test('that is damaged goes to the store, to be finished there', async () => {
    mkdirSync(join(home, 'models'))
    const folder = join(home, 'models', 'genesis')
    cpSync(genesis.directory, folder, { recursive: true })
    const path = join(folder, first!.name)
    writeFileSync(path, readFileSync(path).fill(7, 5_000, 5_001))
    truncateSync(join(folder, second!.name), 9)
    const damaged = (await verify('genesis')).filter(({ status }) => status === 'damaged')
    expect(damaged.map(({ uses, isSetAside }) => [uses[0]?.segment, isSetAside])).toEqual([
      [1, true],
      [2, true],
    ])
    expect(existsSync(path)).toBe(false)
    const model = openModelStore({ home }).find('genesis')
    expect(missingFiles(model, 0, 6)).toEqual([first, second].map((one) => ({ root: one!.root, bytes: one!.bytes })))
  })
})

test('the list has whole and unfinished files, by model and segment, and strangers last', async () => {
  await put()
  const other = fileOf(3 * CHUNK_BYTES, 1)
  const partial = (await store.begin(other, other.leaves, NEVER))!
  await partial.write(1, chunkOf(other, 1))
  await partial.close()
  const held = await listShards(home)
  expect(held.slice(0, 6).map(({ uses: [use] }) => use?.segment)).toEqual([1, 2, 3, 4, 5, 6])
  expect(held.slice(6, 8).map(({ uses: [use] }) => use?.file)).toEqual(['tokenizer.json', 'tokenizer_config.json'])
  const strangers = held
    .slice(8)
    .map(({ root, haveBytes, isComplete, uses }) => ({ root, haveBytes, isComplete, uses }))
  expect(strangers.sort((a, b) => a.haveBytes - b.haveBytes)).toEqual([
    { root: other.root, haveBytes: CHUNK_BYTES, isComplete: false, uses: [] },
    { root: file.root, haveBytes: file.bytes, isComplete: true, uses: [] },
  ])
})
