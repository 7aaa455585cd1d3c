/**
 * Functions of src that read something and need no row of the fuzz table, by the reason.
 * @module
 */

const BY_REASON: Readonly<Record<string, readonly string[]>> = {
  'opens a file, a folder or a stream and hands what is in it to a decoder of the table': [
    'app/canary/canary-files.ts:readCanary',
    'app/control/http-checks.ts:readBody',
    'app/control/replies.ts:readAll',
    'app/control/replies.ts:readItems',
    'app/devnet/devnet-state.ts:readGroups',
    'app/doctor/read-kernel.ts:readKernel',
    'app/chat/stdin-text.ts:readStdin',
    'app/model-store.ts:readBounded',
    'app/shards/chunk-hash.ts:readChunk',
    'app/shards/model-references.ts:readUses',
    'app/shards/model-references.ts:readNamedRoots',
    'app/shards/partial-file.ts:readNotes',
    'app/shards/shard-folder.ts:readLeaves',
    'app/shards/shard-folder.ts:readShardFolder',
    'app/shards/shard-folder.ts:readSmall',
    'app/secret-input.ts:readSecretLine',
    'app/secret-input.ts:readSecretText',
    'app/secret-input.ts:readBytes',
    'app/wallet-files.ts:readWalletFile',
    'app/weights-folder.ts:readIndex',
  ],
  'reads one field of a message whose decoder is in the table': [
    'core/fields.ts:readTime',
    'core/fields.ts:readRound',
    'core/state/tree-proof.ts:readSiblings',
    'core/state/tree-proof.ts:readOtherLeaf',
  ],
  'asks peers; what they answer is decoded by decoders of the table': ['app/light/proved-state.ts:readProved'],
  'takes a flag of a few characters that the user typed; its unit tests say what it refuses': [
    'app/posts/post-flags.ts:parsePosts',
    'app/posts/post-flags.ts:parseRun',
  ],
  'makes a step of a message that was decoded': ['app/ring/prompt-steps.ts:decodeStep'],
}

/** `path:function` below src, each with its reason. */
export const EXCEPTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries(BY_REASON).flatMap(([reason, names]) => names.map((name) => [name, reason] as const)),
)

/** Files that make a Reader or parse JSON, and need no row, with the reason. */
export const FILE_EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['app/chain/create-network.ts', 'parses what it has just written'],
  ['app/audit/audit-server.ts', 'reads the id of an audit, which has a row of its own'],
  ['app/audit/input-check.ts', 'reads a receipt by its decoder'],
  ['app/market/lot-journal.ts', 'reads its records by their decoder, and numbers that it has written'],
  ['app/light/light-service.ts', 'reads headers, commits and sets by their decoders'],
  ['core/consensus/early.ts', 'reads the header of a proposal by its decoder'],
])
