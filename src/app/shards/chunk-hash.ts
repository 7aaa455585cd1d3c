/**
 * Hashes of chunks, with the SHA-256 of the system: ml/chunk-tree.ts combines them.
 * Spec: docs/spec/shards.md §1.
 * @module
 */
import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { Hash } from '../../base/brand.ts'
import { CHUNK_BYTES, chunkCount, LEAF_BYTES, leafAt, rootOfLeaves } from '../../ml/chunk-tree.ts'

const LEAF_PREFIX = Uint8Array.of(0)

/** The leaf of a chunk, of at most `CHUNK_BYTES`: SHA-256 of a byte 0 and the chunk. 32 bytes. */
export function leafHash(chunk: Uint8Array): Uint8Array {
  return createHash('sha256').update(LEAF_PREFIX).update(chunk).digest()
}

/** Whether `chunk` is what leaf `index` was made of. */
export function isChunk(leaves: Uint8Array, index: number, chunk: Uint8Array): boolean {
  const leaf = leafAt(leaves, index)
  return chunk.length <= CHUNK_BYTES && leaf.length === LEAF_BYTES && Buffer.compare(leafHash(chunk), leaf) === 0
}

/** Leaves of bytes in memory. */
export function leavesOfBytes(bytes: Uint8Array): Uint8Array {
  const leaves = new Uint8Array(chunkCount(bytes.length) * LEAF_BYTES)
  for (let index = 0; index * LEAF_BYTES < leaves.length; index++) {
    leaves.set(leafHash(bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)), index * LEAF_BYTES)
  }
  return leaves
}

/** Root of bytes in memory. */
export function rootOfBytes(bytes: Uint8Array): Hash {
  return rootOfLeaves(leavesOfBytes(bytes))
}

/** Leaves of an open file as it is now, read from its start to its end; `onChunk` hears of each how many bytes it has. */
export async function leavesOfFile(
  file: FileHandle,
  signal: AbortSignal,
  onChunk: (bytes: number) => void = () => undefined,
): Promise<Uint8Array> {
  const leaves: Uint8Array[] = []
  const chunk = new Uint8Array(CHUNK_BYTES)
  for (;;) {
    signal.throwIfAborted()
    const bytes = await readChunk(file, chunk, leaves.length)
    if (bytes > 0) leaves.push(leafHash(chunk.subarray(0, bytes)))
    onChunk(bytes)
    if (bytes < CHUNK_BYTES) return Buffer.concat(leaves)
  }
}

/** Fills `chunk` with chunk `index` of the file; returns how many bytes the file had of it. */
export async function readChunk(file: FileHandle, chunk: Uint8Array, index: number): Promise<number> {
  for (let done = 0; ; ) {
    const { bytesRead } = await file.read(chunk, done, chunk.length - done, index * CHUNK_BYTES + done)
    done += bytesRead
    if (bytesRead === 0 || done === chunk.length) return done
  }
}

/** Root of an open file, for threads that nobody waits for. */
export function rootOfFileSync(file: number): Hash {
  const leaves: Uint8Array[] = []
  const chunk = new Uint8Array(CHUNK_BYTES)
  for (let done = 0; ; ) {
    const bytes = readSync(file, chunk, done, CHUNK_BYTES - done, leaves.length * CHUNK_BYTES + done)
    done += bytes
    if (bytes > 0 && done < CHUNK_BYTES) continue
    if (done > 0) leaves.push(leafHash(chunk.subarray(0, done)))
    if (done < CHUNK_BYTES) return rootOfLeaves(Buffer.concat(leaves))
    done = 0
  }
}
