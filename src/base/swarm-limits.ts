/**
 * Bounds of shards between peers, each with its reason; the others are in limits.ts.
 * @module
 */
const KIB = 1024
const MIB = 1024 * KIB

/** Shards between peers. */
export const SHARD_LIMITS = {
  /** What a message carries of a chunk or page: other messages get their turn on the connection after it. */
  pieceBytesMax: 128 * KIB,
  messageBytesMax: 129 * KIB,
  /** A bit for each of MODEL_LIMITS.fileChunksMax. */
  mapBytesMax: 32 * KIB,
  /** Manifests and lists of leaves are asked for page by page: a reader cannot slow its writer down otherwise. */
  pageBytesMax: 1 * MIB,
  /** Chunks that one peer is asked for at once: 16 MiB on their way fill 1 Gbit/s at a distance of 100 ms. */
  chunksAskedMax: 16,
  /** Questions of one peer that wait here: its chunks, what it left again, and what it asks beside them. */
  questionsMax: 64,
  /** A miner may fetch for several posts at once. */
  channelsPerPeerMax: 4,
  /** Channels that are answered at once; each has two pieces in memory, or a chunk that is compared before it goes out. */
  servedMax: 64,
  /** Manifests and lists of leaves that are kept for their next page, by bytes. */
  pagesBytesMax: 128 * MIB,
  /** A peer that brings less than this while it is asked for something is given up: a modem is faster. */
  floorBytesPerSecond: 8 * KIB,
  /** Bulk links that are served at once, and of one peer. */
  linksMax: 64,
  linksPerPeerMax: 4,
  /** Tickets for links that nobody has used yet. */
  linkTicketsMax: 256,
  /** Hosts of a peer that are tried for a link. */
  linkHostsMax: 3,
  /** Ports below are other services': nobody is made to speak to them. */
  linkPortMin: 1_024,
  /** Chunks whose memory a thread that serves keeps for the next ones. */
  linkChunksMax: 32,
  /** Of all uploads together while a stage serves: see bench/README.md, `shards`. */
  uploadBytesPerSecond: 16 * MIB,
} as const

/** One download, which may be of many files. */
export const SWARM_LIMITS = {
  /** Peers that chunks are asked of at once: more share the same line of this machine. */
  peersMax: 32,
  /** Where there are more, the slowest makes room for another one after so long. */
  roomMs: 20_000,
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
  /** Where the line of this machine is slow, or not known: a chunk at SHARD_LIMITS.floorBytesPerSecond. Who brings less is given up sooner (DEADLINES.shardFloorMs). */
  silenceMsMax: 128_000,
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
