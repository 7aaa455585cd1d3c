/**
 * Where chunks of files come from: one peer, seen by a download. A file is named by the root of its chunks (docs/spec/shards.md §1), so that
 * whoever asks can tell whether it got what it asked for; a source need not be trusted.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash, PeerId } from '../../base/brand.ts'

/** A file by its content. */
export interface FileId {
  /** Root of the tree over its chunks (ml/chunk-tree.ts). */
  readonly root: Hash
  readonly bytes: number
}

/** Which chunks somebody has: bit `index & 7` of byte `index >> 3`, lowest first; bits beyond the last chunk are 0. */
export type ChunkMap = Uint8Array

/** A peer that a download takes chunks from. All calls may run at once; each rejects when the peer is lost, with the wire's error. */
export interface ChunkSource {
  readonly peer: PeerId
  /** What it has of the file now; undefined: nothing, or it does not know of the file. */
  holdings(file: FileId, signal: AbortSignal): Promise<ChunkMap | undefined>
  /** The hashes of all chunks, 32 bytes each, as the peer says: the caller compares them with the root. */
  leaves(file: FileId, signal: AbortSignal): Promise<Uint8Array>
  /** One chunk, as the peer says: the caller compares it with its leaf. undefined: the peer does not have it (any more). */
  chunk(file: FileId, index: number, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** The manifest of a model, as the peer says: the caller compares it with the hash. undefined: it does not have it. */
  manifest(model: Hash, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Ends the channel. Idempotent. */
  close(): Promise<void>
}
