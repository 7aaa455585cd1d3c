/**
 * Files that are served, for tests of shards: with random bytes, on disk, whole or in part, behind the port of the shard server.
 * @module
 */
import { createCipheriv } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leavesOfBytes } from '../src/app/shards/chunk-hash.ts'
import { fullMap } from '../src/app/shards/chunk-map.ts'
import type { ChunkMap, ChunkTarget, FileId } from '../src/app/shards/chunk-source.ts'
import type { ServedFile, ServedFiles, WholeMark } from '../src/app/shards/served-files.ts'
import type { Hash } from '../src/base/brand.ts'
import { leafAt, rootOfLeaves } from '../src/ml/chunk-tree.ts'

export interface TestFile extends FileId {
  readonly content: Uint8Array
  readonly leaves: Uint8Array
  readonly path: string
}

/** Folders and files of one test. */
export interface ShardWorld {
  readonly folder: string
  /** A file of random bytes on disk. */
  file(bytes: number, seed?: number): Promise<TestFile>
  /** An unfinished file of that length, in which nothing is. */
  part(bytes: number): Promise<string>
  /** What is in a file now. */
  content(path: string): Promise<Uint8Array>
  close(): Promise<void>
}

export async function createShardWorld(): Promise<ShardWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'dllm-shards-'))
  let count = 0
  const path = (): string => join(folder, `file-${count++}`)
  return {
    folder,
    async file(bytes, seed = 1) {
      const content = randomBytes(bytes, seed)
      const leaves = leavesOfBytes(content)
      const file = { root: rootOfLeaves(leaves), bytes, content, leaves, path: path() }
      await writeFile(file.path, content)
      return file
    },
    async part(bytes) {
      const name = path()
      await writeFile(name, new Uint8Array(bytes))
      return name
    },
    content: async (name) => new Uint8Array(await readFile(name)),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Bytes that do not compress, the same for each seed. */
export function randomBytes(bytes: number, seed: number): Uint8Array {
  const key = Buffer.alloc(16, seed)
  return new Uint8Array(createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes)))
}

/** Where chunk `index` of a file goes. */
export function targetOf(file: TestFile, index: number, path: string): ChunkTarget {
  return { path, leaf: leafAt(file.leaves, index) }
}

/** The port of a server that has these files whole, and these manifests by their model's hash. */
export function servedFiles(
  files: readonly TestFile[],
  manifests: ReadonlyMap<Hash, Uint8Array> = new Map(),
): ServedFiles & { readonly maps: Map<Hash, ChunkMap>; readonly marks: Map<Hash, WholeMark> } {
  const byRoot = new Map(files.map((file) => [file.root, file]))
  /** A file is served as far as its map says. */
  const maps = new Map(files.map(({ root, bytes }) => [root, fullMap(bytes)]))
  /** Those that are here are whole files, whose chunks are compared as they are served first. */
  const marks = new Map<Hash, WholeMark>()
  return {
    ...{ maps, marks },
    manifest: async (model) => manifests.get(model),
    leaves: async (root) => byRoot.get(root)?.leaves,
    confirm: async (root, index, leaf) => Buffer.compare(leafAt(byRoot.get(root)!.leaves, index), leaf) === 0,
    async locate(root): Promise<ServedFile | undefined> {
      const file = byRoot.get(root)
      const map = maps.get(root)
      return (
        file && map && { path: file.path, bytes: file.bytes, map, ...(marks.has(root) && { whole: marks.get(root)! }) }
      )
    },
  }
}
