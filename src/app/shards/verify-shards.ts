/**
 * Hashes the files of models that are here, and sets aside what is damaged: it becomes an unfinished file in which only the right chunks are noted, so
 * that it is never used, and that no more than the wrong chunks are fetched again.
 * Spec: docs/spec/shards.md §3.
 * @module
 */
import { type FileHandle, open, rename, rm, truncate } from 'node:fs/promises'
import type { Hash } from '../../base/brand.ts'
import { areLeavesOf, LEAF_BYTES, leafAt } from '../../ml/chunk-tree.ts'
import { asReadError } from '../file-errors.ts'
import { syncFolder, writeFileAtomic } from '../home.ts'
import { leavesOfFile } from './chunk-hash.ts'
import { addChunk, chunksIn, emptyMap } from './chunk-map.ts'
import type { ChunkMap, FileId } from './chunk-source.ts'
import { type HeldFile, listShards } from './list-shards.ts'
import { notesOf } from './partial-file.ts'
import { asShardWriteError, readLeaves, shardPaths, shardsFolder } from './shard-folder.ts'
import { lockUnlessUsed } from './shard-store.ts'

export interface VerifiedShard extends HeldFile {
  readonly status: 'ok' | 'damaged' | 'unfinished'
  /** Chunks that are as they should be, where that is known; of a damaged file the others are fetched again. */
  readonly rightChunks: number | undefined
  /** Damaged, and in the way of nobody any more. False for a file that comes with the program. */
  readonly isSetAside: boolean
}

export interface VerifyProgress {
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface VerifyOptions {
  /** The data folder. */
  readonly home: string
  /** Only files of this model. */
  readonly model?: string | undefined
  /** Only this file. */
  readonly root?: Hash | undefined
  readonly onProgress: (progress: VerifyProgress) => void
}

/** Throws MODEL_UNREADABLE where a file cannot be read, SHARD_UNWRITABLE where a damaged one cannot be set aside. */
export async function verifyShards(options: VerifyOptions, signal: AbortSignal): Promise<VerifiedShard[]> {
  const { home, model, root, onProgress } = options
  const held = (await listShards(home)).filter(
    (file) =>
      (model === undefined || file.uses.some((use) => use.model === model)) &&
      (root === undefined || file.root === root),
  )
  const totalBytes = held.reduce((sum, file) => sum + (file.isComplete ? file.bytes : 0), 0)
  const verified: VerifiedShard[] = []
  let doneBytes = 0
  const onChunk = (bytes: number): void => {
    doneBytes += bytes
    onProgress({ doneBytes, totalBytes })
  }
  for (const file of held) {
    verified.push(await verifyFile(home, { file, onChunk }, signal))
  }
  return verified
}

interface FileLook {
  readonly file: HeldFile
  readonly onChunk: (bytes: number) => void
}

async function verifyFile(home: string, look: FileLook, signal: AbortSignal): Promise<VerifiedShard> {
  const { file } = look
  // What is noted of it is hashed when somebody goes on with it.
  if (!file.isComplete) return { ...file, status: 'unfinished', rightChunks: undefined, isSetAside: false }
  const found = await hashWhole(look, signal)
  const expected = { root: file.root, bytes: file.expectedBytes }
  if (areLeavesOf(expected, found.leaves) && found.bytes === expected.bytes) {
    const rightChunks = found.leaves.length / LEAF_BYTES
    return { ...file, status: 'ok', rightChunks, isSetAside: false }
  }
  const leaves = await readLeaves(shardsFolder(home), file.root)
  const map = leaves === undefined ? undefined : rightChunks(expected, leaves, found.leaves)
  const isSetAside = !file.isEmbedded && (await setAside(home, { path: file.path, ...expected, map }))
  const count = map === undefined ? undefined : chunksIn(map).length
  return { ...file, status: 'damaged', rightChunks: count, isSetAside }
}

async function hashWhole(
  { file: { path }, onChunk }: FileLook,
  signal: AbortSignal,
): Promise<{ leaves: Uint8Array; bytes: number }> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    return { leaves: await leavesOfFile(file, signal, onChunk), bytes: (await file.stat()).size }
  } catch (error) {
    throw asReadError(error, path)
  } finally {
    await file?.close()
  }
}

function rightChunks(file: FileId, leaves: Uint8Array, found: Uint8Array): ChunkMap {
  const map = emptyMap(file.bytes)
  for (let index = 0; index * LEAF_BYTES < leaves.length; index++) {
    if (Buffer.compare(leafAt(leaves, index), leafAt(found, index)) === 0) addChunk(map, index)
  }
  return map
}

interface DamagedFile extends FileId {
  readonly path: string
  /** Its right chunks; undefined: nobody knows. */
  readonly map: ChunkMap | undefined
}

/** False while somebody fetches the file anew. */
async function setAside(home: string, { path, root, bytes, map }: DamagedFile): Promise<boolean> {
  const folder = shardsFolder(home)
  const { part, have } = shardPaths(folder, root)
  try {
    const lock = await lockUnlessUsed(folder, root)
    if (lock === undefined) return false
    try {
      await writeFileAtomic(have, notesOf(map ?? emptyMap(bytes)))
      await rename(path, part).catch((error: unknown) => giveUp(error, path))
      await truncate(part, bytes).catch(() => undefined)
      await syncFolder(folder)
      return true
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw asShardWriteError(error, path)
  }
}

/** A file on another disk than the store has nothing to give to it. */
async function giveUp(error: unknown, path: string): Promise<void> {
  if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error
  await rm(path)
}
