/**
 * Where chunks of files come from: one peer, seen by a download. A file is named by the root of its chunks (docs/spec/shards.md §1), so that
 * whoever asks can tell whether it got what it asked for; a source need not be trusted.
 *
 * Chunks do not pass through the caller: the source compares each with its leaf and writes it at its place in the unfinished file, in a thread of its
 * own where they come over the bulk link. The caller decides what is asked of whom, and notes what was stored.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash, PeerId } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'

export class ChunkSourceError extends HouseError<
  | 'CHUNK_SOURCE_LOST' // the peer is gone, broke the rules or is too slow: the source is of no use any more
  | 'CHUNK_SOURCE_REFUSED' // the peer does not want to just now
> {}

/** A file by its content. */
export interface FileId {
  /** Root of the tree over its chunks (ml/chunk-tree.ts). */
  readonly root: Hash
  readonly bytes: number
}

/** Which chunks somebody has: bit `index & 7` of byte `index >> 3`, lowest first; bits beyond the last chunk are 0. */
export type ChunkMap = Uint8Array

/** Where a chunk goes. */
export interface ChunkTarget {
  /** The unfinished file, which is there: chunk `index` is written at `index * CHUNK_BYTES`. Several sources may write to it at once. */
  readonly path: string
  /** What the chunk must hash to (app/shards/chunk-hash.ts), 32 bytes. */
  readonly leaf: Uint8Array
}

/**
 * `stored`: it is what its leaf says, and in the file; not synced: a resume hashes it again. `absent`: the peer does not have it (any more).
 * `bad`: the peer sent other bytes over the channel that proves who it is. The wire has been told (wire.judge); want nothing more of this peer.
 */
export type ChunkOutcome = 'stored' | 'absent' | 'bad'

/**
 * A peer that a download takes chunks from. All calls may run at once, but no more than SHARD_LIMITS.chunksAskedMax chunks at a time (assertion), in any
 * files. Each call rejects with the signal's reason (the peer is told to leave it), with CHUNK_SOURCE_LOST, with CHUNK_SOURCE_REFUSED (ask again after a
 * while), or with what the disk said (app/file-errors.ts) when a chunk could not be written.
 */
export interface ChunkSource {
  readonly peer: PeerId
  /** Of chunks, manifests and leaves so far, what was of no use included. */
  readonly bytesReceived: number
  /** What it has of the file now; undefined: nothing, or it does not know of the file. */
  holdings(file: FileId, signal: AbortSignal): Promise<ChunkMap | undefined>
  /** The hashes of all chunks, 32 bytes each, as the peer says: the caller compares them with the root. undefined: it does not have them. */
  leaves(file: FileId, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Fetches one chunk into `into`. */
  chunk(file: FileId, index: number, into: ChunkTarget, signal: AbortSignal): Promise<ChunkOutcome>
  /** The manifest of a model, as the peer says: the caller compares it with the hash. undefined: it does not have it. */
  manifest(model: Hash, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Ends the channel and the bulk link. Idempotent. */
  close(): Promise<void>
}
