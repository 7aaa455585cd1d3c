/**
 * Decoders of what validators say, keep and sign, and of proofs of the state.
 * @module
 */
import { concatBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { decodeConsensusMessage, encodeConsensusMessage } from '../../src/app/node/topics.ts'
import { CHAIN_LIMITS, STATE_LIMITS, STORE_LIMITS, SYNC_LIMITS } from '../../src/base/chain-limits.ts'
import { decodeEntry, encodeEntry } from '../../src/core/consensus/journal.ts'
import {
  ballotDigest,
  decodeProposal,
  decodeVote,
  encodeProposal,
  encodeVote,
  type Proposal,
  proposalDigest,
  readBallot,
  readProposalClaim,
  type Vote,
  writeBallot,
  writeProposalClaim,
} from '../../src/core/consensus/messages.ts'
import type { SignRecord, TimerStep } from '../../src/core/consensus/replica-port.ts'
import { SIGN_STEPS, type SignState } from '../../src/core/consensus/sign-guard.ts'
import { decodeSignState, encodeSignState } from '../../src/core/consensus/sign-record.ts'
import { type ConsensusSummary, decodeSummary, encodeSummary } from '../../src/core/consensus/summary.ts'
import { type Member, readValidatorSet, writeMembers } from '../../src/core/consensus/validator-set.ts'
import { decodeVoteRecord, encodeVoteRecord } from '../../src/core/consensus/vote-record.ts'
import { verify } from '../../src/core/ed25519.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { treeRoot } from '../../src/core/state/tree.ts'
import { decodePart, encodePart, treePart, verifyPart } from '../../src/core/state/tree-parts.ts'
import { decodeProof, encodeProof, proveKey, verifyProof } from '../../src/core/state/tree-proof.ts'
import { type Decoder, decoder } from './decoder.ts'
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
import { holds } from './rows-block.ts'
import { samples } from './samples.ts'

const anyBallot = fc.record({
  type: fc.constantFrom('prevote' as const, 'precommit' as const),
  ...{ height: anyCount, round: anyRound, blockHash: orNothing(anyHash) },
})
const anyVote: fc.Arbitrary<Vote> = fc
  .tuple(anyBallot, fc.nat({ max: 0xffff }), anySignature)
  .map(([ballot, voter, signature]) => ({ ...ballot, voter, signature }))
const anyClaim = fc.record({
  ...{ height: anyCount, round: anyRound, blockHash: anyHash },
  validRound: orNothing(fc.nat({ max: CHAIN_LIMITS.roundMax - 1 })),
})
const anyProposal: fc.Arbitrary<Proposal> = fc
  .tuple(anyClaim, fc.uint8Array({ maxLength: 60 }), anySignature)
  .map(([claim, block, signature]) => ({ ...claim, block, signature }))
const anyMessage = fc.oneof(
  anyVote.map((vote) => ({ type: 'vote' as const, vote })),
  anyProposal.map((proposal) => ({ type: 'proposal' as const, proposal })),
)
const anyEntry = fc.oneof(
  fc.record({ type: fc.constantFrom('own' as const, 'heard' as const), nowMs: anyTime, message: anyMessage }),
  fc.record({
    ...{ type: fc.constant('timer' as const), nowMs: anyTime, height: anyCount, round: anyRound },
    step: fc.constantFrom<TimerStep>('commit', 'propose', 'prevote', 'precommit'),
  }),
)
const anyVotes = fc.record({ voters: fc.uint8Array({ maxLength: 32 }), hasQuorum: fc.boolean() })
const anySummary: fc.Arbitrary<ConsensusSummary> = fc.record({
  ...{ height: anyCount, round: anyRound },
  rounds: fc.uniqueArray(
    fc.record({
      round: anyRound,
      proposals: fc.array(anyHash, { maxLength: 4 }),
      prevotes: anyVotes,
      precommits: anyVotes,
    }),
    { maxLength: 5, selector: ({ round }) => round },
  ),
})
const anyLock = orNothing(fc.record({ round: anyRound, hash: anyHash }))
const anyStep = fc.constantFrom(...SIGN_STEPS)
const anyRecord: fc.Arbitrary<SignRecord> = fc.record({
  request: fc.record({ height: anyCount, round: anyRound, step: anyStep, digest: bytesOf(32) }),
  ...{ signature: anySignature, blockHash: orNothing(anyHash), locked: anyLock, valid: anyLock },
})
const anyMember: fc.Arbitrary<Member> = fc.record({
  ...{ id: anyAccount, consensusKey: bytesOf(32), seedKey: bytesOf(48), stake: anyU64 },
})
const anyMembers = fc.uniqueArray(anyMember, { minLength: 1, maxLength: 5, selector: ({ id }) => id })

const signState = (last: SignState['last']): SignState => {
  const { chain, set } = samples()
  return { networkId: chain.networkId, publicKey: set.members[0]!.consensusKey.slice(), last }
}
const NOT_SIGNED = { height: 7, round: 1, step: 'prevote', signed: undefined } as const
const anyLast: fc.Arbitrary<SignState['last']> = orNothing(
  fc.record({
    ...{ height: anyCount, round: anyRound, step: anyStep },
    signed: orNothing(fc.record({ digest: bytesOf(32), signature: anySignature })),
  }),
)

/** The bytes with the checksum of all before it behind them. */
const sealedBy =
  (tag: string) =>
  (bytes: Uint8Array): Uint8Array => {
    const body = bytes.subarray(0, -32)
    return concatBytes(body, taggedHash(tag, body))
  }

/** Whether the first validator signed it. */
function isSigned(message: Uint8Array, signature: Uint8Array): boolean {
  return verify({ signature, message, publicKey: samples().set.members[0]!.consensusKey })
}

const SIGNED_ROWS: readonly Decoder[] = [
  decoder({
    name: 'vote',
    covers: ['core/consensus/messages.ts:decodeVote', 'core/consensus/messages.ts:readVote'],
    samples: () => [encodeVote(samples().vote), encodeVote(samples().nilVote)],
    decode: decodeVote,
    encode: encodeVote,
    values: anyVote,
    codes: CODEC,
    // The index of the voter is not signed: it says by whose key to check.
    believes: (bytes) =>
      holds(() => {
        const vote = decodeVote(bytes)
        const isReal = vote.voter === 0 && isSigned(ballotDigest(samples().chain.networkId, vote), vote.signature)
        if (!isReal) decodeVote(new Uint8Array(0))
      }),
    bytesMax: CHAIN_LIMITS.voteBytesMax,
  }),
  decoder({
    name: 'proposal',
    covers: ['core/consensus/messages.ts:decodeProposal'],
    samples: () => [
      encodeProposal({ ...samples().proposal, block: new Uint8Array(9) }),
      encodeProposal(samples().proposal),
    ],
    decode: decodeProposal,
    encode: encodeProposal,
    values: anyProposal,
    codes: CODEC,
    bytesMax: CHAIN_LIMITS.proposalBytesMax,
  }),
  decoder({
    name: 'ballot',
    covers: ['core/consensus/messages.ts:readBallot'],
    samples: () => [samples().vote, samples().nilVote].map((vote) => written((writer) => writeBallot(writer, vote))),
    decode: (bytes) => whole(bytes, readBallot),
    encode: (ballot) => written((writer) => writeBallot(writer, ballot)),
    values: anyBallot,
    codes: CODEC,
    bytesMax: 256,
  }),
  decoder({
    name: 'proposal-claim',
    covers: ['core/consensus/messages.ts:readProposalClaim'],
    samples: () => [written((writer) => writeProposalClaim(writer, samples().proposal))],
    decode: (bytes) => whole(bytes, readProposalClaim),
    encode: (claim) => written((writer) => writeProposalClaim(writer, claim)),
    values: anyClaim,
    codes: CODEC,
    believes: (bytes) =>
      holds(() => {
        const digest = proposalDigest(samples().chain.networkId, whole(bytes, readProposalClaim))
        if (!isSigned(digest, samples().proposal.signature)) whole(new Uint8Array(0), readProposalClaim)
      }),
    bytesMax: 256,
  }),
  decoder({
    name: 'consensus-message',
    covers: ['app/node/topics.ts:decodeConsensusMessage'],
    samples: () => [
      encodeConsensusMessage({ type: 'vote', vote: samples().vote }),
      encodeConsensusMessage({ type: 'proposal', proposal: samples().proposal }),
    ],
    decode: decodeConsensusMessage,
    encode: encodeConsensusMessage,
    values: anyMessage,
    codes: CODEC,
    bytesMax: CHAIN_LIMITS.proposalBytesMax,
  }),
  decoder({
    name: 'summary',
    covers: ['core/consensus/summary.ts:decodeSummary'],
    samples: () => fc.sample(anySummary, { seed: 1, numRuns: 4 }).map(encodeSummary),
    decode: decodeSummary,
    encode: encodeSummary,
    values: anySummary,
    codes: CODEC,
    bytesMax: SYNC_LIMITS.summaryBytesMax,
  }),
  decoder({
    name: 'validator-set',
    covers: ['core/consensus/validator-set.ts:readValidatorSet', 'core/consensus/validator-set.ts:readMembers'],
    samples: () => [written((writer) => writeMembers(writer, samples().set.members))],
    decode: (bytes) => [...whole(bytes, readValidatorSet).members],
    encode: (members) => written((writer) => writeMembers(writer, members)),
    values: anyMembers.map((members) => members.toSorted((a, b) => (a.id < b.id ? -1 : 1))),
    codes: CODEC,
    bytesMax: 32 * 1024,
  }),
]

const KEPT_ROWS: readonly Decoder[] = [
  decoder({
    name: 'journal-entry',
    covers: ['core/consensus/journal.ts:decodeEntry'],
    samples: () => fc.sample(anyEntry, { seed: 1, numRuns: 8 }).map(encodeEntry),
    decode: decodeEntry,
    encode: encodeEntry,
    values: anyEntry,
    codes: CODEC,
    bytesMax: STORE_LIMITS.journalRecordBytesMax,
  }),
  decoder({
    name: 'vote-record',
    covers: ['core/consensus/vote-record.ts:decodeVoteRecord'],
    samples: () => fc.sample(anyRecord, { seed: 1, numRuns: 4 }).map(encodeVoteRecord),
    decode: decodeVoteRecord,
    encode: encodeVoteRecord,
    values: anyRecord,
    codes: ['SIGN_STATE_DAMAGED'],
    believes: (bytes) => holds(() => decodeVoteRecord(bytes)),
    reseal: sealedBy('dllm/vote-record'),
    bytesMax: 4_096,
  }),
  decoder({
    name: 'sign-state',
    covers: ['core/consensus/sign-record.ts:decodeSignState'],
    samples: () =>
      [undefined, NOT_SIGNED, ...fc.sample(anyLast, { seed: 1, numRuns: 3 })].map((last) =>
        encodeSignState(signState(last)),
      ),
    decode: (bytes) => decodeSignState(bytes, signState(undefined)),
    encode: encodeSignState,
    values: anyLast.map(signState),
    codes: ['SIGN_STATE_DAMAGED', 'SIGN_STATE_FOREIGN'],
    believes: (bytes) => holds(() => decodeSignState(bytes, signState(undefined))),
    reseal: sealedBy('dllm/sign-state'),
    bytesMax: 4_096,
  }),
]

const PROVED_ROWS: readonly Decoder[] = [
  decoder({
    name: 'state-proof',
    covers: ['core/state/tree-proof.ts:decodeProof', 'core/state/tree-proof.ts:verifyProof'],
    samples: () =>
      [7, 200, 3].map((index) => encodeProof(proveKey(samples().tree, Uint8Array.of(1, index, index * 3)))),
    decode: decodeProof,
    encode: encodeProof,
    codes: [...CODEC, 'PROOF_'],
    believes: (bytes) => {
      const { tree } = samples()
      const proofs = (index: number) => (): void => {
        verifyProof({ root: treeRoot(tree), key: Uint8Array.of(1, index, index * 3), proof: decodeProof(bytes) })
      }
      return [7, 200, 3].some((index) => holds(proofs(index)))
    },
    bytesMax: STATE_LIMITS.valueBytesMax + 16 * 1024,
  }),
  decoder({
    name: 'state-part',
    covers: ['core/state/tree-parts.ts:decodePart', 'core/state/tree-parts.ts:verifyPart'],
    samples: () =>
      [treePart(samples().tree, 2, 1), treePart(samples().tree, 9, 0), treePart(samples().tree, 0, 0)].map(encodePart),
    decode: decodePart,
    encode: encodePart,
    codes: [...CODEC, 'PROOF_', 'PART_'],
    believes: (bytes) => holds(() => verifyPart({ root: treeRoot(samples().tree), part: decodePart(bytes) })),
    bytesMax: STATE_LIMITS.partBytesMax,
    cost: 2,
  }),
]

export const CONSENSUS_ROWS: readonly Decoder[] = [...SIGNED_ROWS, ...KEPT_ROWS, ...PROVED_ROWS]
