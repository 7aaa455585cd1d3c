/**
 * An unfinished file of the store. Nothing of it counts but chunks that were compared with their leaves; what is noted of them on disk is a hint
 * for the next time, which hashes them again. So a process may be killed, and a disk may lose what was not synced, at any byte.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { constants, writeSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import { CHUNK_BYTES, chunkCount, chunkLength } from '../../ml/chunk-tree.ts'
import type { Lock } from '../devnet/lock.ts'
import { syncFolder, writeFileAtomic } from '../home.ts'
import { isChunk, readChunk } from './chunk-hash.ts'
import { addChunk, chunksIn, emptyMap, hasChunk } from './chunk-map.ts'
import type { ChunkMap, FileId } from './chunk-source.ts'
import { ShardError } from './shard-error.ts'
import { asShardWriteError, readSmall, type ShardPaths } from './shard-folder.ts'

export interface PartialFile {
  readonly file: FileId
  /** All leaves, 32 bytes each. */
  readonly leaves: Uint8Array
  /** The file, of its full length: others may write chunks that they compared with their leaf, each at `index * CHUNK_BYTES`. */
  readonly path: string
  /** The chunks that are there. It changes as more come. */
  readonly map: ChunkMap
  /** Says that a chunk is in the file: whoever wrote it compared its length and its leaf. Throws SHARD_NO_SPACE or SHARD_UNWRITABLE. */
  note(index: number): void
  /** Compares a chunk with its length and its leaf, writes it and notes it. Throws SHARD_BAD_CHUNK, and what `note` throws. */
  write(index: number, chunk: Uint8Array): Promise<void>
  /** All chunks are there: makes it a whole file, for good, and closes it. Returns its path. */
  finish(): Promise<string>
  /** Leaves it for another time. Idempotent. */
  close(): Promise<void>
}

interface PartialOptions {
  readonly file: FileId
  readonly leaves: Uint8Array
  readonly paths: ShardPaths
  readonly lock: Lock
  readonly onClose: () => void
}

/** Opens or creates the file and hashes what is noted as being in it. The lock is given back when the file is closed, or when this fails. */
export async function openPartialFile(options: PartialOptions, signal: AbortSignal): Promise<PartialFile> {
  const { file, leaves, paths, lock } = options
  let part: FileHandle | undefined
  try {
    part = await open(paths.part, constants.O_RDWR | constants.O_CREAT, 0o600)
    await part.truncate(file.bytes)
    const map = await verifiedChunks(part, { file, leaves, have: paths.have }, signal)
    // Old notes may name chunks that are not there, or end within a number.
    await writeFileAtomic(paths.have, notesOf(map))
    return createPartial(options, { part, have: await open(paths.have, 'a', 0o600), map })
  } catch (error) {
    await part?.close()
    await lock.release()
    throw asShardWriteError(error, paths.part)
  }
}

interface OpenFiles {
  readonly part: FileHandle
  readonly have: FileHandle
  readonly map: ChunkMap
}

function createPartial(options: PartialOptions, { part, have, map }: OpenFiles): PartialFile {
  const { file, leaves, paths, lock, onClose } = options
  const count = chunkCount(file.bytes)
  let isOpen = true

  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    onClose()
    await Promise.all([part.close(), have.close()])
    await lock.release()
  }

  const note = (index: number): void => {
    assert(isOpen && index >= 0 && index < count, 'a chunk of an open file')
    if (hasChunk(map, index)) return
    addChunk(map, index)
    try {
      writeSync(have.fd, noteOf(index))
    } catch (error) {
      throw asShardWriteError(error, paths.have)
    }
  }

  const write = async (index: number, chunk: Uint8Array): Promise<void> => {
    if (chunk.length !== chunkLength(file.bytes, index) || !isChunk(leaves, index, chunk)) throw badChunk(file, index)
    if (hasChunk(map, index)) return
    try {
      for (let done = 0; done < chunk.length; ) {
        const position = index * CHUNK_BYTES + done
        done += (await part.write(chunk, done, chunk.length - done, position)).bytesWritten
      }
    } catch (error) {
      throw asShardWriteError(error, paths.part)
    }
    note(index)
  }

  const finish = async (): Promise<string> => {
    assert(isOpen && chunksIn(map).length === count, 'a file is finished when all chunks are there')
    try {
      await part.sync()
      await rename(paths.part, paths.whole)
      await syncFolder(dirname(paths.whole))
      await rm(paths.have, { force: true })
    } catch (error) {
      throw asShardWriteError(error, paths.part)
    } finally {
      await close()
    }
    return paths.whole
  }

  return { file, leaves, path: paths.part, map, note, write, finish, close }
}

/** Of the chunks that are noted, those that are what their leaves say. */
async function verifiedChunks(
  part: FileHandle,
  { file, leaves, have }: { readonly file: FileId; readonly leaves: Uint8Array; readonly have: string },
  signal: AbortSignal,
): Promise<ChunkMap> {
  const map = emptyMap(file.bytes)
  const buffer = new Uint8Array(CHUNK_BYTES)
  for (const index of chunksIn(await readNotes(have, file.bytes))) {
    signal.throwIfAborted()
    const chunk = buffer.subarray(0, chunkLength(file.bytes, index))
    const bytes = await readChunk(part, chunk, index)
    if (bytes === chunk.length && isChunk(leaves, index, chunk)) addChunk(map, index)
  }
  return map
}

/** The chunks of a file of `bytes` that the notes name; what cannot be a chunk counts as nothing. */
export async function readNotes(path: string, bytes: number): Promise<ChunkMap> {
  return decodeNotes((await readSmall(path)) ?? new Uint8Array(0), bytes)
}

/** As `readNotes`, of notes in memory. */
export function decodeNotes(notes: Uint8Array, bytes: number): ChunkMap {
  const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength)
  const map = emptyMap(bytes)
  for (let at = 0; at + 4 <= notes.length; at += 4) {
    const index = view.getUint32(at, true)
    if (index < chunkCount(bytes)) addChunk(map, index)
  }
  return map
}

/** Notes that name the chunks of a map. */
export function notesOf(map: ChunkMap): Uint8Array {
  return Buffer.concat(chunksIn(map).map(noteOf))
}

function noteOf(index: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(index)
  return bytes
}

function badChunk({ root }: FileId, index: number): ShardError {
  const message = `Chunk ${index} of ${root} is not what the file's name says. It was thrown away.`
  return new ShardError('SHARD_BAD_CHUNK', message, { details: { root, index } })
}
