/**
 * Decoders of blocks, transactions and their proofs.
 * @module
 */
import fc from 'fast-check'
import { CHAIN_LIMITS, LIGHT_LIMITS } from '../../src/base/chain-limits.ts'
import { codeOf } from '../../src/base/error.ts'
import {
  type Block,
  blockHash,
  type Commit,
  commitHash,
  decodeBlock,
  encodeBlock,
  encodeHeader,
  type Header,
  readCommit,
  readHeader,
  writeCommit,
} from '../../src/core/block/block.ts'
import {
  type InclusionProof,
  isIncluded,
  proveTransaction,
  readInclusionProof,
  transactionsRoot,
  writeInclusionProof,
} from '../../src/core/block/transactions-root.ts'
import { verifyCommit } from '../../src/core/block/verify-commit.ts'
import { decodeTrusted, encodeTrusted } from '../../src/core/light-client-proofs.ts'
import { decodeTransaction, encodeTransaction, hasValidSignature } from '../../src/core/transaction/transaction.ts'
import { person, signCall } from '../chain-accounts.ts'
import { type Decoder, decoder, utf8 } from './decoder.ts'
import {
  anyAccount,
  anyCount,
  anyHash,
  anyRound,
  anySignature,
  anyTime,
  anyU64,
  bytesOf,
  CODEC,
  orNothing,
  whole,
  written,
} from './fields.ts'
import { samples } from './samples.ts'

const anyHeader: fc.Arbitrary<Header> = fc.record({
  ...{ height: anyCount, round: anyRound, timeMs: anyTime, proposer: anyAccount },
  ...{ parentHash: anyHash, lastCommitHash: anyHash, transactionsRoot: anyHash, stateRoot: anyHash },
  ...{ validatorsHash: anyHash, nextValidatorsHash: anyHash, seedSignature: bytesOf(96) },
  ...{ baseFee: anyU64, units: anyCount },
})

const anyCommit: fc.Arbitrary<Commit> = fc.record({
  ...{ height: anyCount, round: anyRound, blockHash: anyHash },
  signatures: fc.array(orNothing(anySignature), { maxLength: 6 }),
})

const anyBlock: fc.Arbitrary<Block> = fc.record({
  header: anyHeader,
  lastCommit: orNothing(anyCommit),
  transactions: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
})

const anyInclusionProof: fc.Arbitrary<InclusionProof> = fc
  .tuple(fc.integer({ min: 1, max: CHAIN_LIMITS.blockTransactionsMax }), fc.nat(), fc.array(anyHash, { maxLength: 13 }))
  .map(([count, index, siblings]) => ({ index: index % count, count, siblings }))

/** Whether a check passes; only failures with a code count as refusals. */
export function holds(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return false
  }
}

function transactionSamples(): Uint8Array[] {
  const { chain, block } = samples()
  const bonding = { type: 2, body: { validator: person(1).id, amount: 7n } }
  const changing = { type: 6, body: { changes: [{ name: 'commitMs', value: 500n }] } }
  return [...block.transactions, ...[bonding, changing].map((call) => signCall(chain.networkId, person(3), call))]
}

/** The ids of a block's transactions. */
function idsOf(block: Block): ReturnType<typeof decodeTransaction>['id'][] {
  return block.transactions.map((bytes) => decodeTransaction(bytes).id)
}

function believesBlock(bytes: Uint8Array): boolean {
  const { chain, block: real } = samples()
  return holds(() => {
    const block = decodeBlock(bytes)
    const isReal =
      blockHash(chain.networkId, block.header) === blockHash(chain.networkId, real.header) &&
      commitHash(block.lastCommit) === block.header.lastCommitHash &&
      transactionsRoot(idsOf(block)) === block.header.transactionsRoot
    if (!isReal) decodeBlock(new Uint8Array(0))
  })
}

export const BLOCK_ROWS: readonly Decoder[] = [
  decoder({
    name: 'block',
    covers: ['core/block/block.ts:decodeBlock'],
    samples: () => [encodeBlock(samples().block), encodeBlock({ ...samples().block, lastCommit: undefined })],
    decode: decodeBlock,
    encode: encodeBlock,
    values: anyBlock,
    codes: CODEC,
    believes: believesBlock,
    bytesMax: CHAIN_LIMITS.proposalBytesMax,
  }),
  decoder({
    name: 'header',
    covers: ['core/block/block.ts:readHeader'],
    samples: () => [encodeHeader(samples().block.header)],
    decode: (bytes) => whole(bytes, readHeader),
    encode: encodeHeader,
    values: anyHeader,
    codes: CODEC,
    believes: (bytes) => {
      const { chain, block } = samples()
      const expected = blockHash(chain.networkId, block.header)
      return holds(() => {
        if (blockHash(chain.networkId, whole(bytes, readHeader)) !== expected) whole(new Uint8Array(0), readHeader)
      })
    },
    bytesMax: 4_096,
  }),
  decoder({
    name: 'commit',
    covers: ['core/block/block.ts:readCommit', 'core/block/verify-commit.ts:verifyCommit'],
    samples: () => {
      const { commit } = samples()
      const half = { ...commit, signatures: [undefined, ...commit.signatures.slice(1)] }
      return [commit, half, { ...commit, signatures: [] }].map((each) => written((writer) => writeCommit(writer, each)))
    },
    decode: (bytes) => whole(bytes, readCommit),
    encode: (commit) => written((writer) => writeCommit(writer, commit)),
    values: anyCommit,
    codes: CODEC,
    believes: (bytes) => {
      const { chain, set, block } = samples()
      const expected = {
        networkId: chain.networkId,
        set,
        height: 2,
        blockHash: blockHash(chain.networkId, block.header),
      }
      return holds(() => verifyCommit({ ...expected, commit: whole(bytes, readCommit) }))
    },
    bytesMax: 32 * 1024,
  }),
  decoder({
    name: 'transaction',
    covers: ['core/transaction/transaction.ts:decodeTransaction'],
    samples: transactionSamples,
    decode: decodeTransaction,
    encode: encodeTransaction,
    codes: CODEC,
    believes: (bytes) =>
      holds(() => {
        if (!hasValidSignature(decodeTransaction(bytes), samples().chain.networkId)) decodeTransaction(utf8(''))
      }),
    bytesMax: CHAIN_LIMITS.transactionBytesMax + 1,
  }),
  decoder({
    name: 'inclusion-proof',
    covers: ['core/block/transactions-root.ts:readInclusionProof'],
    samples: () => {
      const ids = idsOf(samples().block)
      const many = [...ids, ...ids, ...ids, ...ids, ...ids]
      return [proveTransaction(ids, 1), proveTransaction(many, 8)].map((proof) =>
        written((writer) => writeInclusionProof(writer, proof)),
      )
    },
    decode: (bytes) => {
      const proof = whole(bytes, readInclusionProof)
      // A wrong proof proves nothing, and nothing else happens.
      isIncluded(samples().block.header.transactionsRoot, samples().block.header.stateRoot, proof)
      return proof
    },
    encode: (proof) => written((writer) => writeInclusionProof(writer, proof)),
    values: anyInclusionProof,
    codes: CODEC,
    bytesMax: 4_096,
  }),
  decoder({
    name: 'trusted',
    covers: ['core/light-client-proofs.ts:decodeTrusted'],
    samples: () => {
      const { chain, block, set, commit } = samples()
      const trusted = { header: block.header, hash: blockHash(chain.networkId, block.header), set }
      return [encodeTrusted({ ...trusted, commit }), encodeTrusted({ ...trusted, commit: undefined })]
    },
    decode: (bytes) => decodeTrusted(bytes, samples().chain.networkId),
    encode: encodeTrusted,
    codes: CODEC,
    bytesMax: LIGHT_LIMITS.trustFileBytesMax,
  }),
]
