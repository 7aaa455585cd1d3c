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
  /** Metadata and places of tensors; the largest vocabularies in use take 25 MB with their merges. */
  ggufHeaderBytesMax: 64 * MIB,
  ggufEntriesMax: 4_096,
  /** Merges of the largest vocabularies in use are half of it. */
  ggufListItemsMax: 1_048_576,
  /** Chunks of one file, 256 GiB: the list of their hashes is 8 MiB. */
  fileChunksMax: 262_144,
  /** Files of one model; publishers cut at 40 GB or so. */
  weightFilesMax: 1_024,
  modelNameCharactersMax: 64,
  /** Versions that a chat follows, one after the other, from the model that it was asked for. */
  versionsFollowedMax: 16,
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
  /** Models that a miner serves: with more, the part of a post in half of the places for sessions would be below two. */
  postsMax: 16,
  /** KV cache of all sessions of one miner. */
  kvBytesMax: 4 * GIB,
  idleMsMax: 10 * 60_000,
  promptTokensMax: 131_072,
  generatedTokensMax: 131_072,
  prefillChunkTokensMax: 256,
  prefillChunksInFlightMax: 4,
  batchRowsMax: 512,
  /** Rows of a batch in which a long step has company: an engine's pass, after which the others' next steps come along. */
  sharedRowsMax: 64,
  /** Rows of a long step that a batch has at least, however many short ones it has: a quarter of a pass. */
  pieceRowsMin: 16,
  /** Rows of a step of decoding: one for the token that is certain, the others for drafts. As many as a stage frame carries of the widest model. */
  windowRowsMax: 64,
  /** A step with so many is short, and goes before longer ones: what most windows of drafts have. */
  shortRowsMax: 16,
  /** Logits of such a step: the tail draws from all of them at once, and must not hold up its event loop. */
  windowLogitsMax: 1_048_576,
  /** Drafts that a stage computes although they turn out wrong: so many, and so many more for each row that stays. */
  draftsLostFree: 64,
  draftsLostPerRow: 4,
} as const

/** Audits of lots. */
export const AUDIT_LIMITS = {
  /** A part that is not full, and one step more that is as long as a stage frame. */
  messageBytesMax: 10 * MIB,
  /** A part with so many is full: an auditor holds two of them. */
  partBytesMax: 1 * MIB,
  /** Receipts and steps in a part: an auditor that recomputes 256 rows asks again within minutes. */
  partItemsMax: 256,
  /** Levels of a tree of receipts (MARKET_LIMITS.receiptSiblingsMax, which net does not know). */
  siblingsMax: 20,
  /** Audits that one auditor may have on its hands at one miner, and then some that it gave up. */
  channelsPerPeerMax: 8,
  /** Auditors that a miner answers at once: all seats of one last round, each with a journal record in memory. */
  servedMax: 64,
  /** Questions to the chain whether somebody is an auditor, at once: strangers may ask. */
  checksMax: 8,
  /** Recomputed at once by one auditor, each with a cache. */
  recomputedMax: 2,
  /** Rows that an auditor computes at once: sessions that are paid wait no longer for them. */
  rowsAtOnceMax: 32,
  /** What auditors keep of lots, to pass it on to each other: beyond it they only compute. */
  shelfBytesMax: 1 * GIB,
  /** Other auditors that are asked in one attempt, when the miner does not send. */
  othersAskedMax: 4,
  /** Attempts to get the data of one audit. */
  attemptsMax: 8,
  /** Verdicts that are kept until they are revealed: of as many audits as one miner can have on its hands. */
  verdictsMax: 1_024,
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
  /** A stage that has lost a neighbour waits so long for the client's last voucher. */
  lastVoucherMs: 1_000,
  decodeStepMs: 10_000,
  /** Per prefill chunk in flight, on top of the decode deadline. */
  prefillChunkMs: 30_000,
  statusMs: 3_000,
  /** An auditor waits so long for one part: a long step over a slow line. */
  auditPartMs: 20_000,
  /** And its miner for the next question: the auditor computes meanwhile, and serves its own sessions. */
  auditIdleMs: 300_000,
  /** An answer about shards that is not a chunk, and one page of it. */
  shardAnswerMs: 20_000,
  /** A chunk, behind others that were asked for before it. */
  shardChunkMs: 180_000,
  /** `floorBytesPerSecond` is counted over so long. */
  shardFloorMs: 15_000,
  /** A channel or link on which nothing was asked, or nothing taken, for so long is let go. */
  shardIdleMs: 120_000,
  /** After a step a stage counts as serving for so long: its next one is near. */
  servingMs: 2_000,
  /** A bulk link to one host; what is not there by then is done without. */
  linkOpenMs: 3_000,
  /** A chunk waits so long for a link that is being opened. */
  linkWaitMs: 1_000,
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
  /** Between a process and its engine worker: logits of one row of the largest vocabulary in use, 256k; more is a message. */
  mailboxBytes: MIB,
  /** A batch that took longer is computed beside the event loop, a shorter one in its thread, with nobody to wake: a fourth of the 50 ms for which the loop may be held. */
  holdMs: 12,
  /** Between batches of at least so long others' steps are waited for, until a pause of so long; of sessions with a step in so many batches before. */
  ...{ gatherBatchMs: 4, gatherPauseMs: 1, gatherBatches: 16 },
  /** Memory of closed caches goes back to the system in pieces of so much: 0.3 ms for each MiB of pages of 4 KiB, while the event loop is held. */
  clearBytes: 8 * MIB,
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
  /** Room for shards, in GiB: more than a disk has. */
  shardGibMax: 1_048_576,
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

/** Canaries of models. Two prompts: shorter and longer than the groups in which engines compute rows of a prompt. */
export const CANARY_LIMITS = {
  promptRows: [7, 33],
  /** Rows of one prompt. */
  rowsMax: 64,
} as const

/** `dllm model probe`. */
export const PROBE_LIMITS = {
  /** Logits in one answer: about 200 MB of JSON. */
  logitsMax: 16 * 1_024 * 1_024,
} as const

/** What `dllm dashboard` keeps in memory. */
export const DASHBOARD_LIMITS = {
  /** Of each history; a sparkline shows no more than this. */
  historyItems: 120,
} as const

/** Models by name from a hub. */
export const HUB_LIMITS = {
  /** Lists of files, a thousand to a page. */
  answerBytesMax: 32 * MIB,
  pagesMax: 64,
  filesMax: 65_536,
  /** The hub redirects once, its content network once or twice more. */
  redirectsMax: 5,
  /** Attempts in a row that bring nothing. */
  attemptsMax: 6,
  firstWaitMs: 1_000,
  waitMsMax: 30_000,
  /** A hub that limits requests counts them in five minutes. */
  retryAfterMsMax: 600_000,
  /** A connection that brings no byte for so long is given up. */
  silenceMs: 30_000,
  /** Of one file; the largest in use have 50 GB. */
  fileBytesMax: 1_024 * GIB,
} as const

/** GPUs of one machine. */
export const GPU_LIMITS = {
  /** What nvidia-smi may take; it answers within a second unless a card hangs. */
  readingMs: 3_000,
  /** A line per card. */
  readingBytesMax: 64 * KIB,
  /** More than any machine has. */
  cardsMax: 64,
  /** Looking at all of them. */
  probeMs: 60_000,
  /** With compiling and running the self-test, which takes drivers on the processor half a minute of it each. */
  probeTestMs: 300_000,
} as const
