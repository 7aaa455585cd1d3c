/**
 * What every ChunkSource must do, over every transport. `chunk-source.test.ts` runs it.
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ChunkOutcome, ChunkSource, FileId } from '../../src/app/shards/chunk-source.ts'
import type { ServedFiles } from '../../src/app/shards/served-files.ts'
import { hash } from '../../src/base/brand.ts'
import { SHARD_LIMITS } from '../../src/base/swarm-limits.ts'
import { CHUNK_BYTES, chunkCount, leafAt } from '../../src/ml/chunk-tree.ts'
import { createShardWorld, randomBytes, type ShardWorld, servedFiles, type TestFile, targetOf } from '../shard-world.ts'
import { codeFrom } from './wire-world.ts'

/** One peer that serves `files` and a source that takes from it. */
export interface SourcePair {
  readonly source: ChunkSource
  /** The peer is gone, without a word. */
  kill(): Promise<void>
  stop(): Promise<void>
}

const BYTES = 2 * CHUNK_BYTES + 12_345
const NEVER = new AbortController().signal
const UNKNOWN: FileId = { root: hash('ee'.repeat(32)), bytes: BYTES }
const MODEL = hash('aa'.repeat(32))

export function describeChunkSource(name: string, createPair: (files: ServedFiles) => Promise<SourcePair>): void {
  describe(`a chunk source, ${name}`, () => {
    let world: ShardWorld
    let file: TestFile
    let served: ReturnType<typeof servedFiles>
    let pair: SourcePair
    let part: string
    const manifest = randomBytes(SHARD_LIMITS.pageBytesMax * 2 + 77, 5)

    beforeEach(async () => {
      world = await createShardWorld()
      file = await world.file(BYTES)
      part = await world.part(BYTES)
      served = servedFiles([file], new Map([[MODEL, manifest]]))
      pair = await createPair(served)
    })
    afterEach(async () => {
      await pair.source.close()
      await pair.stop()
      await world.close()
    })
    const fetch = (index: number, signal: AbortSignal = NEVER): Promise<ChunkOutcome> =>
      pair.source.chunk(file, index, targetOf(file, index, part), signal)

    test('fetches every chunk of a file at once, each to its place', async () => {
      const indexes = Array.from({ length: chunkCount(BYTES) }, (_, index) => index)
      expect(await Promise.all(indexes.map((index) => fetch(index)))).toEqual(['stored', 'stored', 'stored'])
      expect(Buffer.compare(await world.content(part), file.content)).toBe(0)
      expect(pair.source.bytesReceived).toBe(BYTES)
    })

    test('tells the leaves, the holdings and a manifest of several pages', async () => {
      expect(await pair.source.leaves(file, NEVER)).toEqual(file.leaves)
      expect(await pair.source.holdings(file, NEVER)).toEqual(Uint8Array.of(0b111))
      const found = await pair.source.manifest(MODEL, NEVER)
      expect(Buffer.compare(found!, manifest)).toBe(0)
    })

    test('has nothing of what the peer does not have', async () => {
      const { source } = pair
      const into = { path: part, leaf: leafAt(file.leaves, 0) }
      expect(await source.leaves(UNKNOWN, NEVER)).toBeUndefined()
      expect(await source.holdings(UNKNOWN, NEVER)).toBeUndefined()
      expect(await source.manifest(UNKNOWN.root, NEVER)).toBeUndefined()
      expect(await source.chunk(UNKNOWN, 0, into, NEVER)).toBe('absent')
    })

    test('gets of an unfinished file what is there, and more when more is there', async () => {
      served.maps.set(file.root, Uint8Array.of(0b010))
      expect(await pair.source.holdings(file, NEVER)).toEqual(Uint8Array.of(0b010))
      expect([await fetch(0), await fetch(1)]).toEqual(['absent', 'stored'])
      served.maps.set(file.root, Uint8Array.of(0b011))
      await expect.poll(() => fetch(0)).toBe('stored')
    })

    test('gets nothing of a chunk that the disk of the peer has damaged, and the others', async () => {
      served.marks.set(file.root, { mark: 'whole', leaves: `${file.path}.leaves` })
      const damaged = new Uint8Array(file.content)
      damaged[CHUNK_BYTES + 7]! ^= 1
      await writeFile(file.path, damaged)
      expect(await Promise.all([0, 1, 2].map((index) => fetch(index)))).toEqual(['stored', 'absent', 'stored'])
      await writeFile(file.path, file.content)
      await expect.poll(() => fetch(1)).toBe('stored')
      expect(Buffer.compare(await world.content(part), file.content)).toBe(0)
    })

    test('asks no further than a file that is said to be longer', async () => {
      const longer = { root: file.root, bytes: BYTES + 4 * CHUNK_BYTES }
      expect(await pair.source.chunk(longer, 5, targetOf(file, 0, part), NEVER)).toBe('absent')
    })

    test('leaves a chunk when its signal fires, and goes on with others', async () => {
      const stop = new AbortController()
      const left = fetch(0, stop.signal).catch((error: unknown) => error)
      stop.abort(new Error('enough'))
      expect(await left).toMatchObject({ message: 'enough' })
      expect(await fetch(1)).toBe('stored')
      await expect(fetch(2, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
    })

    test('says that the disk failed, and goes on', async () => {
      const nowhere = { path: `${world.folder}/none/part`, leaf: leafAt(file.leaves, 0) }
      expect(await codeFrom(pair.source.chunk(file, 0, nowhere, NEVER))).toBe('SHARD_UNWRITABLE')
      expect(await fetch(0)).toBe('stored')
    })

    test('is lost with its peer, and says so ever after', async () => {
      expect(await fetch(0)).toBe('stored')
      await pair.kill()
      expect(await codeFrom(pair.source.holdings(file, NEVER))).toBe('CHUNK_SOURCE_LOST')
      expect(await codeFrom(fetch(1))).toBe('CHUNK_SOURCE_LOST')
    })

    test('fails what is under way when it is closed', async () => {
      const asked = codeFrom(fetch(0))
      await pair.source.close()
      expect(await asked).toMatch(/CHUNK_SOURCE_LOST|no error/)
      expect(await codeFrom(fetch(1))).toBe('CHUNK_SOURCE_LOST')
      await pair.source.close()
    })
  })
}
