/**
 * Every bound of the program in one place, each with its reason. Nothing that comes from a peer, a file or
 * a user may grow past one of these.
 * @module
 */

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** Models. The largest open dense models stay below these by a factor of two. */
export const MODEL_LIMITS = {
  layersMax: 256,
  hiddenMax: 32_768,
  intermediateMax: 131_072,
  vocabularyMax: 1_048_576,
  headsMax: 512,
  contextMax: 1_048_576,
  segmentsMax: 256,
  /** Hugging Face JSON files; the largest tokenizer.json seen is 33 MB. */
  jsonFileBytesMax: 64 * MIB,
  /** safetensors header; the format's own limit is 100 MB. */
  safetensorsHeaderBytesMax: 100 * MIB,
  tensorsMax: 65_536,
  modelNameCharactersMax: 64,
  shardHeaderBytesMax: 1 * MIB,
  manifestBytesMax: 96 * MIB,
} as const

/** Messages between peers, in bytes unless named otherwise. */
export const WIRE_LIMITS = {
  /** One stage frame: 256 positions of hidden 8,192 in f32, with room for its header. */
  stageMessageBytesMax: 8 * MIB + 4 * KIB,
  /** Status replies carry at most `offersMax` offers of about 1 KiB. */
  statusMessageBytesMax: 256 * KIB,
  offersMax: 128,
  /** Neighbours whose distance an offer tells. */
  roundTripsMax: 32,
  addressesPerPeerMax: 16,
  addressCharactersMax: 256,
  routeStagesMax: 64,
  errorTextBytesMax: 2 * KIB,
  channelsPerPeerMax: 256,
  /** Unread messages of one channel; a reader this far behind loses the channel. */
  channelQueueMessagesMax: 1_024,
  channelQueueBytesMax: 64 * MIB,
  /** `drained` waits while more than this is unsent: large enough to keep a fast link busy between two wake-ups. */
  channelHighWaterBytes: 1 * MIB,
  connectionsMax: 256,
  knownPeersMax: 1_024,
  /** One piece of news: a block of 1 MiB, with room for its header and votes. */
  newsMessageBytesMax: 1 * MIB + 64 * KIB,
  /** What gossipsub sends at once: an answer to "I want" joins several messages. */
  newsReplyBytesMax: 8 * MIB,
  /** Unsent news to one peer; a peer this far behind loses them. */
  newsOutgoingBytesMax: 16 * MIB,
  /** News that wait for their verdict: of all peers, and of one. More is dropped. */
  newsPendingMax: 4_096,
  newsPendingBytesMax: 64 * MIB,
  newsPendingPerPeerMax: 1_024,
  newsPendingPerPeerBytesMax: 16 * MIB,
  /** Ids of news that were heard; at 1,000 a second the time bound (`newsSeenMs`) comes first. */
  newsSeenMax: 131_072,
  topicsMax: 64,
  /** Peers whose conduct is remembered. */
  scoredPeersMax: 1_024,
  /** Discovered peers are dialled until this many connections are open; more come only from being asked for. */
  discoveryConnectionsMax: 32,
} as const

/** Sessions at a miner. */
export const SESSION_LIMITS = {
  sessionsMax: 64,
  /** KV cache of all sessions of one miner. */
  kvBytesMax: 4 * GIB,
  idleMsMax: 10 * 60_000,
  promptTokensMax: 131_072,
  generatedTokensMax: 131_072,
  prefillChunkTokensMax: 256,
  prefillChunksInFlightMax: 4,
  batchRowsMax: 512,
} as const

/** Waiting. A step that is not back by its deadline counts as lost. */
export const DEADLINES = {
  dialMs: 5_000,
  /** One address of several; the next one must get its turn within `dialMs`. */
  dialAddressMs: 2_000,
  /** A closing channel or connection has this long to send what it holds. */
  channelCloseMs: 2_000,
  /** One search or announcement in the DHT; on a local network it takes half a second. */
  discoveryMs: 10_000,
  /** Bootstrap addresses without a connection are dialled again after this long. */
  bootstrapMs: 10_000,
  /** News for which nobody listens yet waits this long for a fresh connection to say what it listens to. */
  newsListenerMs: 1_000,
  /** A message heard again within this time is the same one. */
  newsSeenMs: 120_000,
  openSessionMs: 10_000,
  decodeStepMs: 10_000,
  /** Per prefill chunk in flight, on top of the decode deadline. */
  prefillChunkMs: 30_000,
  statusMs: 3_000,
  /** A miner's offer is dropped when not renewed for this long. */
  offerMs: 60_000,
  devnetReadyMs: 30_000,
  shutdownMs: 5_000,
} as const

/** Engines. */
export const ENGINE_LIMITS = {
  /** A 32-bit WebAssembly memory. */
  wasmMemoryBytesMax: 4 * GIB,
  /** The word that starts a job of the wasm engine has eight bits for threads; beyond this, memory is the limit. */
  wasmThreadsMax: 64,
  /** Heads are 64 to 256 long; kernels keep one on their stack. */
  headSizeMax: 1_024,
  /** Threads that have not started by then join later; steps do not wait for them. */
  helperStartMs: 5_000,
} as const

/** What users type. */
export const INPUT_LIMITS = {
  promptCharactersMax: 1_000_000,
  passwordCharactersMax: 1_024,
  keystoreFileBytesMax: 64 * KIB,
  configFileBytesMax: 256 * KIB,
  messageToSignBytesMax: 16 * MIB,
  /** With the accounts of its genesis. */
  networkFileBytesMax: 8 * MIB,
  networksMax: 256,
  bootstrapAddressesMax: 64,
  allowedPeersMax: 1_024,
  /** Engine threads; more than the cores of the largest machines sold. */
  threadsMax: 512,
} as const

/** Logs: a file grows to this size, then one older file is kept. Enough for days of a busy miner. */
export const LOG_LIMITS = {
  fileBytesMax: 16 * MIB,
} as const

/** Wallets and keystores. The scrypt bounds keep a hostile file below 1 GiB of memory and some seconds of one core. */
export const WALLET_LIMITS = {
  nameCharactersMax: 32,
  descriptionCharactersMax: 200,
  walletsMax: 1_024,
  passwordCharactersMin: 8,
  scryptCostMax: 2 ** 20,
  scryptBlockSizeMax: 16,
  scryptParallelMax: 16,
  scryptMemoryBytesMax: 1 * GIB,
  /** n · r · p: four times what this program writes. */
  scryptWorkMax: 2 ** 23,
  saltBytesMax: 64,
  secretBytesMax: 8 * KIB,
  /** Descriptors that a shell can open; more than any shell hands over. */
  descriptorMax: 1_023,
  /** Words, passwords and the like from a file, a descriptor or a pipe. */
  secretInputBytesMax: 16 * KIB,
} as const

/** The authenticated state and its proofs (docs/spec/state.md). */
export const STATE_LIMITS = {
  /** Keys are a kind and one or two addresses or hashes. */
  keyBytesMax: 128,
  /** Larger records are split over several keys: a proof carries one whole value. */
  valueBytesMax: 64 * KIB,
  /** One bit of path per sibling. */
  siblingsMax: 256,
  /** Filling a part that deep on purpose takes 2^48 hashes per key; the index stays a safe integer. */
  partDepthBitsMax: 48,
  /** Entries, keys and values of one snapshot part on the wire. */
  partBytesMax: 2 * MIB,
} as const

/** `dllm model probe`. */
export const PROBE_LIMITS = {
  /** Logits in one answer: about 200 MB of JSON. */
  logitsMax: 16 * 1_024 * 1_024,
} as const

/** The chain. What a vote may change has its bounds in core/parameters.ts; these hold for every network. */
export const CHAIN_LIMITS = {
  blockBytesMax: 1 * MIB,
  /** Frame, signature and round around a block. */
  proposalBytesMax: 1 * MIB + 1 * KIB,
  /** A vote is about 120 bytes. */
  voteBytesMax: 256,
  transactionBytesMax: 4 * KIB,
  /** The smallest transaction takes 150 bytes. */
  blockTransactionsMax: 8_192,
  memoBytesMax: 128,
  validatorNameBytesMax: 32,
  validatorsMax: 256,
  parametersMax: 64,
  /** Results of blocks that were checked and may become final: one per round, and rounds after a few are rare. */
  candidatesMax: 4,
  genesisFileBytesMax: 4 * MIB,
  genesisAccountsMax: 65_536,
  /** Heights and rounds that are believed at all; 2^48 ms of one-millisecond blocks. */
  heightMax: 2 ** 48,
  roundMax: 2 ** 20,
} as const

/** The control server of a node, on loopback. */
export const CONTROL_LIMITS = {
  /** Room for a transaction of the largest size in hexadecimal, or a batch of small ones. */
  bodyBytesMax: 1 * MIB,
  batchMax: 64,
  /** Requests nest four deep; the rest is for lists of records. */
  depthMax: 32,
  idCharactersMax: 128,
  /** One answer, batches included; a client holds one in memory. */
  replyBytesMax: 8 * MIB,
  headerBytesMax: 8 * KIB,
  headersMs: 5_000,
  /** A whole request, body included. */
  requestMs: 15_000,
  keepAliveMs: 30_000,
  /** How often the two bounds above are looked after. */
  checkIntervalMs: 1_000,
  /** Commands, a dashboard and a wallet or two at once. */
  connectionsMax: 128,
  requestsMax: 64,
  /** Streams stay open: they must leave room for calls. */
  streamsMax: 32,
  /** Items that a reader of a stream may be behind. */
  streamQueueItemsMax: 1_024,
  /** A client gives up on a call after this long without a byte; methods that wait longer are streams. */
  callIdleMs: 60_000,
  nodeFileBytesMax: 4 * KIB,
} as const

/** Questions between nodes of a chain. */
export const SYNC_LIMITS = {
  /** An answer of blocks stops before this; one block with its commit always fits. */
  answerBytesMax: 4 * MIB,
  itemsMax: 4_096,
  blocksPerQuestionMax: 128,
  headersPerQuestionMax: 256,
  channelsPerPeerMax: 16,
  /** Bitmaps of a few rounds of votes. */
  summaryBytesMax: 16 * KIB,
  stateKeyBytesMax: 128,
  refusalBytesMax: 1 * KIB,
  /** One question, its answer's bytes included. */
  questionMs: 10_000,
} as const

/** The node's files. */
export const STORE_LIMITS = {
  keyBytesMax: 1 * KIB,
  /** Four blocks; nothing kept under one key is larger. */
  valueBytesMax: 4 * MIB,
  /** One block with its state changes takes a tenth; a snapshot arrives in parts of this size. */
  batchBytesMax: 64 * MIB,
  /** A small file that is read whole: the largest is the journal. */
  diskFileBytesMax: 64 * MIB,
  /** A proposal with its block, and what surrounds it. */
  journalRecordBytesMax: 2 * MIB,
  /** Copies of damaged stores kept aside; more say that the disk is broken. */
  damagedCopiesMax: 100,
  interchangeFileBytesMax: 1 * MIB,
  /** Keys in one interchange file. */
  interchangeKeysMax: 1_024,
} as const

/** A node of a chain. */
export const NODE_LIMITS = {
  /** Entries written at a time while a snapshot replaces the store. */
  entriesPerBatch: 10_000,
  blocksPrunedPerCall: 64,
  /** Inputs that wait for the replica; beyond this, news is dropped and asked for again. */
  inputsMax: 4_096,
  historyMax: 1_000,
  /** States that can be asked for by height. */
  recentStatesMax: 64,
  holdingsPerPage: 5_000,
  /** A snapshot for newcomers every so many blocks. */
  snapshotBlocks: 100,
  /** Entries of one part of a snapshot. */
  snapshotPartBytes: 256 * KIB,
  /** A state of ten million accounts. */
  snapshotPartsMax: 16_384,
  /** Watchers of new blocks. */
  watchersMax: 64,
  /** Votes and proposals in one answer to who catches up. */
  missingMax: 512,
  /** How long `submit` of a light client waits for the block. */
  waitMs: 120_000,
} as const

/** Transactions that wait for a block. About 1 KiB of memory each beside their bytes: some 32 MiB when full. */
export const MEMPOOL_LIMITS = {
  /** Five blocks of transfers. */
  transactionsMax: 16_384,
  bytesMax: 16 * MIB,
  /** One sender cannot take more than this; nonces further ahead are refused. */
  perAccountMax: 64,
  /** Half an hour of two-second blocks; what no proposer wanted by then is dropped. */
  expiryBlocks: 1_000,
  /** Transactions in a row that one proposal tries in vain before it is as full as it gets. */
  missesMax: 256,
} as const

/** What a replica keeps of one height. Everything beyond can be asked for again. */
export const CONSENSUS_LIMITS = {
  /** Rounds behind ours whose votes are kept: at the usual timeouts the last hour. Locked and valid rounds stay as well. */
  roundsBehindMax: 64,
  /** Rounds ahead of ours, per voter: the next one and the newest. */
  roundsAheadPerVoterMax: 2,
  /** Different votes of one voter for one round and type: two are evidence, the others count only for known blocks. */
  votesPerVoterMax: 4,
  /** Different proposals of one round: two are evidence, a third is kept only if a quorum names it. */
  proposalsPerRoundMax: 3,
  /** Rounds behind ours whose proposals are kept. */
  proposalRoundsBehindMax: 8,
  proposalsAheadMax: 4,
  /** Messages for the next height that come while this one ends. */
  nextHeightVotesPerVoterMax: 4,
  nextHeightProposalsMax: 2,
  summaryRoundsMax: 16,
  summaryProposalsPerRoundMax: 4,
  /** Proposals in one answer to a summary; each has a block. */
  answerProposalsMax: 2,
  /** Rules that one input may make fire: some per round, and one input can finish one height only. */
  firingsPerInputMax: 4_096,
} as const
