/**
 * Every bound of the chain and its nodes in one place, each with its reason; the other islands' are in limits.ts. Nothing that
 * comes from a peer, a file or a user may grow past one of these.
 * @module
 */

const KIB = 1024
const MIB = 1024 * KIB

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
  /** Proposals that wait for the end of their vote: each makes longer what a change of a voter's bonds writes. */
  openProposalsMax: 64,
  /** Results of blocks that were checked and may become final: one per round, and rounds after a few are rare. */
  candidatesMax: 4,
  /** Final blocks that are handed out to be stored: one input of the replica makes two final at most. */
  appliedBlocksKept: 4,
  genesisFileBytesMax: 4 * MIB,
  genesisAccountsMax: 65_536,
  /** Heights and rounds that are believed at all; 2^48 ms of one-millisecond blocks. */
  heightMax: 2 ** 48,
  roundMax: 2 ** 20,
} as const

/** The market (docs/spec/market.md). What a vote may change has its bounds in core/parameters.ts. */
export const MARKET_LIMITS = {
  /** Records of models, retired ones with open lots included: each has its price computed anew every few blocks. */
  modelsMax: 1_024,
  modelNameBytesMax: 64,
  /** Of one model: each is a lot that somebody may serve alone. */
  segmentsMax: 64,
  /** Compute units of one row at the end of the context: with it no sum of a lease's work leaves what is computed with. */
  rowUnitsMax: 2n ** 32n,
  /** Records of one model: an auction looks at each of them. */
  placementsPerModelMax: 1_024,
  /** Canary reports of one model: as many as can serve it. */
  canaryReportsMax: 1_024,
  /** A few dozen prompts, and what a row is at each of up to 64 borders of segments: 32 rows of 64 KiB at each. */
  canaryBytesMax: 256 * MIB,
  /** Blocks between the end of a vote and the activation that it is about: a year. Longer plans can be made later. */
  activationAheadMax: 15_768_000,
  /** Models that one block looks at, activates or retires: some ten milliseconds each with as many placements as can be. The rest waits. */
  dueModelsPerBlock: 4,
  /** Every lot is a miner more that must keep up, and an auction more at the opening. */
  leaseLotsMax: 16,
  /** Operators that a payer wants no more: those of a ring that broke, and of a few attempts after it. */
  leaseAvoidMax: 8,
  /** Open at once: what one payer keeps from others costs it an account more. */
  leasesPerAccountMax: 64,
  /** Leases that one block closes, draws audits of or settles; the rest waits for the next block. */
  dueLeasesPerBlock: 64,
  /** A block that drew so many audits leaves further leases to the next one: the calls of one take 300 units, so blocks carry 100. */
  auditsDrawnPerBlock: 128,
  /** Days of work that a miner's power is the mean of. */
  powerDays: 14,
  /** Weighted rows that a receipt covers at most when it is opened: its units fit u64 with it. What miners make is a thousandth of it. */
  windowRowsMax: 2 ** 25,
  /** Receipts of a lot: its tree has at most that many leaves, a row of decoding in each. */
  receiptsMax: 2 ** 20,
  /** Levels above the leaves of a tree of `receiptsMax`. */
  receiptSiblingsMax: 20,
  /** Audits of one lot. */
  auditsPerLotMax: 8,
  /** Seats of the committee that decides what a first one did not agree on. */
  auditSeatsMax: 64,
  /** First committees, a redrawn one included, and all seats by different miners. */
  auditorsPerAuditMax: 128,
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
  /** Models of one name that are told, and that a light client looks at: more are registered to be in the way. */
  namedModelsMax: 32,
  blocksPerQuestionMax: 128,
  headersPerQuestionMax: 256,
  /** A question of thirty bytes, and a block to be read and hashed for each. */
  historyPerQuestionMax: 64,
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
  /** Seed signatures that a thread works on: more than a height needs. */
  seedTasksMax: 8,
  seedsKnownMax: 64,
  /** States that can be asked for by height. */
  recentStatesMax: 64,
  holdingsPerPage: 5_000,
  /** A snapshot for newcomers every so many blocks. */
  snapshotBlocks: 100,
  /** Entries of one part of a snapshot. */
  snapshotPartBytes: 256 * KIB,
  /** A state of ten million accounts. */
  snapshotPartsMax: 16_384,
  /** Miners, leases and audits in one answer: 128 audits of 128 auditors each are some 4 MiB of JSON. */
  marketPageMax: 128,
  /** Leases or miners that are read for one answer: 30 ms for leases of 16 lots. */
  marketReadsMax: 2_048,
  /** Accounts that one question about earnings is for: the miners of a machine, of which a local network has 32. */
  earningsAccountsMax: 64,
  /** Records of the market that one command reads: 80 pages. What the dashboard keeps is a fifth of it. */
  earningsRecordsMax: 10_000,
  /** Blocks whose records of the market a node keeps that forgets older blocks: 30 days of two-second blocks, some 0.6 KB a record. */
  marketRecordBlocks: 1_296_000,
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
  /** Units of transactions whose proofs one proposal checks: a tenth of a second of pairings, as bad ones pay nothing. */
  provingUnitsMax: 6_000,
  /** Senders of false proofs that are remembered: each had to be able to pay for a registration. */
  badProofsMax: 1_024,
  /** Until such a sender's proofs are looked at again: some three minutes of two-second blocks. */
  badProofBlocks: 100,
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
  /** One of each member. The true one is among them unless so many members are faulty at once; then a summary brings it. */
  nextHeightProposalsMax: 4,
  summaryRoundsMax: 16,
  summaryProposalsPerRoundMax: 4,
  /** Proposals in one answer to a summary; each has a block. */
  answerProposalsMax: 2,
  /** Rules that one input may make fire: some per round, and one input can finish one height only. */
  firingsPerInputMax: 4_096,
} as const

/** A light client. */
export const LIGHT_LIMITS = {
  /** Headers on the way to one: twice the binary logarithm of any height. */
  stepsMax: 128,
  /** State keys that one view is made of: a few, and one per validator. */
  keysMax: 600,
  /** Headers that lead from the trusted one down to an older block. */
  ancestorsMax: 4_096,
  /** Between two looks at a transaction that is waited for. */
  pollMs: 500,
  /** While peers are looked for. */
  connectMs: 5_000,
  /** For so long a peer that gave no answer in time is asked only where no other one answers. */
  silentMs: 30_000,
  trustFileBytesMax: 64 * KIB,
} as const

/** `dllm mine` for pay. */
export const MINING_LIMITS = {
  /** The notes of some weeks; then one older file is kept. */
  eventsBytesMax: 1 * MIB,
  /** Models whose place was taken that a miner remembers: as many as the chain has. */
  versionRecordsMax: 1_024,
  versionRecordsBytesMax: 1 * MIB,
  /** Things that were said already, so that they are not said each time. */
  onceMax: 256,
  /** Leases of one block whose outcome is explained one by one. */
  jobsPerBlock: 16,
  /** Blocks that are read after a pause, to say which jobs there were. */
  jobBlocksBehind: 20,
  /** Blocks whose leases are the demand of now: some ten minutes. */
  demandBlocks: 300,
} as const
