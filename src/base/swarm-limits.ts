/**
 * Bounds of downloads from peers, each with its reason; the others are in limits.ts.
 * @module
 */

/** One download, which may be of many files. */
export const SWARM_LIMITS = {
  /** Peers that chunks are asked of at once: more share the same line of this machine. */
  peersMax: 32,
  /** Peers that are asked at once what they have. */
  contactsMax: 8,
  /** Peers whose conduct is remembered for as long as the download runs. */
  rememberedPeersMax: 1_024,
  /** Chunks on the way, or being written, in all: as many MiB of memory. */
  chunksInFlightMax: 48,
  /** What one peer has to send, at its rate. */
  queueMsMax: 4_000,
  /** A peer that owes a chunk and brings none for so long is left alone for a while. */
  silenceMs: 15_000,
  /** Peers that one of the last chunks is asked of at once. */
  askersPerChunkMax: 3,
  /** Share of the download that may arrive twice so that its end does not wait for slow peers, in thousandths, and at least so many chunks. */
  twicePermille: 15,
  twiceChunksMin: 1,
  /** Chunks in a row that a peer said it has and then has not. */
  deniedMax: 16,
  /** Peers are looked for, and asked anew what they have, this often. */
  lookMs: 5_000,
  lookMsMax: 30_000,
  /** A peer that was lost is tried again after this long, then after twice as long, and so on. */
  returnMs: 2_000,
  returnMsMax: 60_000,
} as const
