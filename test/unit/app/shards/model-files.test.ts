/** Where files of models are looked for, manifests that begin a model, and what peers may have of it. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { openModelStore, type StoredModel } from '../../../../src/app/model-store.ts'
import { loadTokenizer } from '../../../../src/app/model-tokenizer.ts'
import { verifyModel } from '../../../../src/app/model-verify.ts'
import { chunksIn } from '../../../../src/app/shards/chunk-map.ts'
import { installManifest } from '../../../../src/app/shards/install-manifest.ts'
import { filesOf, missingFiles, missingTokenizerFiles, pathOfFile } from '../../../../src/app/shards/model-files.ts'
import { serveStore } from '../../../../src/app/shards/served-store.ts'
import { openShardStore } from '../../../../src/app/shards/shard-store.ts'
import { hash } from '../../../../src/base/brand.ts'
import { leafAt } from '../../../../src/ml/chunk-tree.ts'
import { encodeManifest, modelHash } from '../../../../src/ml/manifest.ts'
import { contentOf, fileOf, NEVER, newHome, writeAll } from './store-world.ts'

const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
/** The same under another name, which no other model has. */
const manifest = { ...genesis.manifest, name: 'copy' }
const encoded = encodeManifest(manifest)

let home: string
beforeEach(() => {
  home = newHome()
})

const refusal = (code: string) => expect.objectContaining({ code })

/** Puts a file of genesis into the store. */
async function fetchFile(name: string): Promise<void> {
  const file = contentOf(readFileSync(join(genesis.directory, name)))
  const path = join(home, name)
  writeFileSync(path, file.content)
  await openShardStore({ home }).adopt(path, file, file.leaves)
}

describe('a model that begins with its manifest', () => {
  test('is here without a shard, and has those that come', async () => {
    const model = await installManifest(home, encoded)
    expect(model).toEqual(openModelStore({ home }).find('copy'))
    expect(model.hash).toBe(modelHash(manifest))
    const shards = manifest.segments.map(({ shard }) => ({ root: shard.root, bytes: shard.bytes }))
    expect(missingFiles(model, 0, 6)).toEqual(shards)
    expect(missingFiles(model, 2, 4)).toEqual(shards.slice(2, 4))
    expect(missingTokenizerFiles(model).map(({ root }) => root)).toEqual(manifest.files.map(({ root }) => root))
    await fetchFile('segment-002.shard')
    expect(missingFiles(model, 2, 4)).toEqual(shards.slice(3, 4))
    const weights = openModelStore({ home }).openWeights(model, 2, 3)
    expect(weights.vector('layers.2.attentionNorm').length).toBe(192)
    weights.close()
    expect(() => openModelStore({ home }).openWeights(model, 2, 4)).toThrow(refusal('MODEL_UNREADABLE'))
  })

  test('chats with the files of its tokenizer, and is whole, when all came', async () => {
    const model = await installManifest(home, encoded)
    for (const { name } of filesOf(manifest)) await fetchFile(name)
    expect((await loadTokenizer(model)).beginToken).toBe(0)
    const files = await verifyModel(model, () => undefined, NEVER)
    expect(files.every(({ status }) => status === 'ok')).toBe(true)
  })

  test('is not put in place of another model, and not twice', async () => {
    const first = await installManifest(home, encoded)
    expect(await installManifest(home, encoded)).toEqual(first)
    const other = encodeManifest({ ...manifest, generation: { temperature: 0.5 } })
    await expect(installManifest(home, other)).rejects.toThrow(refusal('MODEL_EXISTS'))
    const shadow = encodeManifest({ ...manifest, name: 'genesis' })
    expect((await installManifest(home, shadow)).isEmbedded).toBe(true)
    const another = encodeManifest({ ...manifest, name: 'genesis', generation: {} })
    await expect(installManifest(home, another)).rejects.toThrow(refusal('MODEL_EXISTS'))
    expect(readdirSync(join(home, 'models'))).toEqual(['copy'])
  })

  test('is put once by many who come at one time', async () => {
    const models = await Promise.all(Array.from({ length: 8 }, () => installManifest(home, encoded)))
    expect(new Set(models.map((model) => model.hash)).size).toBe(1)
    expect(readdirSync(join(home, 'models'))).toEqual(['copy'])
  })

  test.each([
    ['that is no manifest', Buffer.from('<!doctype html>')],
    ['with a name that is a path', encodeManifest({ ...manifest, name: '../x' })],
  ])('is not begun by one %s', async (_case, bytes) => {
    await expect(installManifest(home, bytes)).rejects.toThrow(refusal(expect.stringMatching(/^MODEL_BAD_/)))
    expect(existsSync(join(home, 'models'))).toBe(false)
  })
})

describe('a file in the folder of its model', () => {
  let model: StoredModel
  beforeEach(() => {
    mkdirSync(join(home, 'models'))
    cpSync(genesis.directory, join(home, 'models', 'genesis'), { recursive: true })
    model = openModelStore({ home }).find('genesis')
  })
  const file = filesOf(genesis.manifest)[1]!
  const own = (): string => join(model.directory, file.name)

  test('goes before that of the store, unless its size is wrong', async () => {
    await fetchFile(file.name)
    expect(pathOfFile(model, file)).toBe(own())
    truncateSync(own(), 5)
    expect(pathOfFile(model, file)).toBe(openShardStore({ home }).pathOf(file.root))
  })

  test('counts as missing when its size is wrong', () => {
    truncateSync(own(), 5)
    expect(pathOfFile(model, file)).toBe(own())
    expect(missingFiles(model, 0, 6)).toEqual([{ root: file.root, bytes: file.bytes }])
  })
})

describe('peers may have', () => {
  const damaged: string[] = []
  beforeEach(() => void damaged.splice(0))
  const served = () => {
    const store = openShardStore({ home })
    return { store, files: serveStore({ home, store, onDamaged: ({ path }) => damaged.push(path) }, NEVER) }
  }
  const first = filesOf(genesis.manifest)[0]!

  test('the manifests that are here, by their hash', async () => {
    const { files } = served()
    expect(await files.manifest(genesis.hash)).toEqual(readFileSync(join(genesis.directory, 'manifest.json')))
    expect(await files.manifest(modelHash(manifest))).toBeUndefined()
    await installManifest(home, encoded)
    expect(await files.manifest(modelHash(manifest))).toEqual(Buffer.from(encoded))
  })

  test('files in folders of models, whose leaves are made once and kept', async () => {
    const { files, store } = served()
    const content = contentOf(readFileSync(join(genesis.directory, first.name)))
    expect(await store.leaves(first.root)).toBeUndefined()
    const [leaves, same] = await Promise.all([files.leaves(first.root), files.leaves(first.root)])
    expect(leaves).toEqual(Buffer.from(content.leaves))
    expect(same).toBe(leaves)
    expect(await store.leaves(first.root)).toEqual(leaves)
    expect(await files.locate(first.root)).toEqual({
      path: join(genesis.directory, first.name),
      bytes: first.bytes,
      map: Uint8Array.of(1),
      whole: { mark: expect.any(String), leaves: join(store.folder, `${first.root}.leaves`) },
    })
  })

  test('nothing of a file that is damaged, and nothing of what no model names', async () => {
    await installManifest(home, encoded)
    rmSync(join(home, 'models'), { recursive: true })
    cpSync(genesis.directory, join(home, 'models', 'genesis'), { recursive: true })
    const path = join(home, 'models', 'genesis', first.name)
    const bytes = readFileSync(path)
    bytes[700]! ^= 1
    writeFileSync(path, bytes)
    const { files } = served()
    expect(await files.leaves(first.root)).toBeUndefined()
    expect(await files.locate(first.root)).toBeUndefined()
    expect(await files.leaves(hash('ab'.repeat(32)))).toBeUndefined()
    expect(await files.locate(hash('ab'.repeat(32)))).toBeUndefined()
    expect(damaged).toEqual([path])
  })

  test('what was compared once, right or wrong, without its being hashed at every question of a stranger', async () => {
    const file = fileOf(3_000_000)
    const { files, store } = served()
    const path = store.pathOf(file.root)
    const damaged = Buffer.from(file.content)
    damaged[2_000_000]! ^= 1
    mkdirSync(store.folder)
    writeFileSync(path, damaged)
    const written = new Date(1_700_000_000_000)
    utimesSync(path, written, written)
    expect(await files.locate(file.root)).toBeUndefined()
    writeFileSync(path, file.content)
    utimesSync(path, written, written)
    expect(await files.locate(file.root)).toBeUndefined()
    expect(await files.leaves(file.root)).toBeUndefined()
    utimesSync(path, written, new Date(written.getTime() + 5_000))
    expect(await files.locate(file.root)).toMatchObject({ path, bytes: file.bytes })
    expect(await files.leaves(file.root)).toEqual(Buffer.from(file.leaves))
  })

  test('leaves that the disk has no room for, without hashing the file for each chunk', async () => {
    cpSync(genesis.directory, join(home, 'models', 'genesis'), { recursive: true })
    const path = join(home, 'models', 'genesis', first.name)
    symlinkSync(join(home, 'full', 'disk'), join(home, 'shards'))
    const { files } = served()
    const leaves = (await files.leaves(first.root))!
    // Whoever hashes it now finds it damaged.
    const { atime, mtime, size } = statSync(path)
    writeFileSync(path, Buffer.alloc(size))
    utimesSync(path, atime, mtime)
    expect(await files.confirm(first.root, 0, leafAt(leaves, 0))).toBe(true)
    expect(damaged).toEqual([])
  })

  test('nothing of a whole file any more once a chunk was not what its leaf says, which is told once', async () => {
    const { files, store } = served()
    const file = fileOf(3_000_000)
    const partial = (await store.begin(file, file.leaves, NEVER))!
    await writeAll(partial, file)
    await partial.finish()
    expect(await files.confirm(file.root, 1, leafAt(file.leaves, 1))).toBe(true)
    expect(await files.locate(file.root)).toMatchObject({ path: store.pathOf(file.root) })
    for (let time = 0; time < 2; time++) expect(await files.confirm(file.root, 1, leafAt(file.leaves, 2))).toBe(false)
    expect(damaged).toEqual([store.pathOf(file.root)])
    expect(await files.locate(file.root)).toBeUndefined()
  })

  test('whole files of the store, and of an unfinished one the chunks that came', async () => {
    const { files, store } = served()
    const file = fileOf(3_000_000)
    const partial = (await store.begin(file, file.leaves, NEVER))!
    await partial.write(2, file.content.subarray(2_097_152))
    const located = (await files.locate(file.root))!
    expect([located.path, located.bytes, chunksIn(located.map)]).toEqual([partial.path, file.bytes, [2]])
    expect(await files.leaves(file.root)).toEqual(Buffer.from(file.leaves))
    // Of a download that stopped nothing is known to be right until it goes on.
    await partial.close()
    expect(await files.locate(file.root)).toBeUndefined()
    await fetchFile(first.name)
    expect((await files.locate(first.root))?.path).toBe(store.pathOf(first.root))
  })

  test('a file whose folder was renamed after it was found', async () => {
    await installManifest(home, encoded)
    const { files } = served()
    cpSync(join(genesis.directory, first.name), join(home, 'models', 'copy', first.name))
    await files.leaves(first.root)
    renameSync(join(home, 'models', 'copy'), join(home, 'models', '.replaced-1-x'))
    expect((await files.locate(first.root))?.path).toBe(join(genesis.directory, first.name))
  })
})
