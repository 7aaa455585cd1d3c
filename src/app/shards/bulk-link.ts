/**
 * A bulk link, seen by a download: a second connection to a peer on which only chunks travel, apart from everything that must not wait behind them.
 * Implementations: app/shards/link-client.ts in the thread that calls it, app/shards/link-thread.ts in one of its own.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { ChunkOutcome, ChunkTarget } from './chunk-source.ts'

export class LinkError extends HouseError<
  | 'LINK_UNREACHABLE' // nobody answers there, or not as a link does
  | 'LINK_LOST' // it is gone, broke the rules or is too slow
> {}

/** Where a link can be opened: what the peer said, and where it is known to be. */
export interface LinkPlace {
  /** IP address or name. */
  readonly host: string
  readonly port: number
  /** Opens one link. */
  readonly ticket: Uint8Array
}

export interface LinkChunk {
  readonly root: Hash
  readonly index: number
  /** Of the chunk, in bytes. */
  readonly length: number
  readonly into: ChunkTarget
}

export interface BulkLink {
  /** Of chunks, so far. */
  readonly bytesReceived: number
  /**
   * Fetches one chunk, compares it with its leaf and writes it; `bad` proves nothing about the peer: anybody between could have changed it.
   * @throws LinkError LINK_LOST; what the disk says; the signal's reason.
   */
  fetch(chunk: LinkChunk, signal: AbortSignal): Promise<ChunkOutcome>
  /** Fails what is under way. Idempotent. */
  close(): void
}

export interface LinkDialler {
  /** @throws LinkError LINK_UNREACHABLE after at most DEADLINES.linkOpenMs; the signal's reason. */
  open(place: LinkPlace, signal: AbortSignal): Promise<BulkLink>
}
