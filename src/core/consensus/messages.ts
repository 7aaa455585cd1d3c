/**
 * What validators say to each other: proposals and votes. Types, bytes, and the strings that are signed.
 * Spec: docs/spec/chain.md §7.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { SIGNATURE_BYTES } from '../ed25519.ts'
import { readCount, readHash, readRound, writeCount, writeHash } from '../fields.ts'
import { taggedHash } from '../hash.ts'

export type VoteType = 'prevote' | 'precommit'

export interface Ballot {
  readonly type: VoteType
  readonly height: number
  readonly round: number
  /** undefined: nil, for no block. */
  readonly blockHash: Hash | undefined
}

export interface Vote extends Ballot {
  /** Index in the validator set of the height. */
  readonly voter: number
  /** Ed25519, 64 bytes, by the consensus key over `ballotDigest`. */
  readonly signature: Uint8Array
}

/** What a proposer signs. */
export interface ProposalClaim {
  readonly height: number
  readonly round: number
  /** Round in which the block had a quorum of prevotes, or undefined for a new block. */
  readonly validRound: number | undefined
  readonly blockHash: Hash
}

export interface Proposal extends ProposalClaim {
  /** Encoded block. */
  readonly block: Uint8Array
  /** Ed25519, 64 bytes, by the consensus key of the round's proposer over `proposalDigest`. */
  readonly signature: Uint8Array
}

const TYPE_NUMBER: Readonly<Record<VoteType, number>> = { prevote: 1, precommit: 2 }

/** The 32 bytes that a voter signs. */
export function ballotDigest(networkId: Hash, ballot: Ballot): Uint8Array {
  const writer = new Writer(64)
  writeBallot(writer, ballot)
  return taggedHash('dllm/vote', hexToBytes(networkId), writer.finish())
}

/** The 32 bytes that a proposer signs. */
export function proposalDigest(networkId: Hash, claim: ProposalClaim): Uint8Array {
  const writer = new Writer(64)
  writeProposalClaim(writer, claim)
  return taggedHash('dllm/proposal', hexToBytes(networkId), writer.finish())
}

export function encodeVote(vote: Vote): Uint8Array {
  const writer = new Writer(160)
  writeVote(writer, vote)
  return writer.finish()
}

/** @throws CodecError. */
export function decodeVote(bytes: Uint8Array): Vote {
  const reader = new Reader(bytes)
  const vote = readVote(reader)
  reader.finish()
  return vote
}

export function writeVote(writer: Writer, vote: Vote): Writer {
  return writeBallot(writer, vote).u16(vote.voter).raw(vote.signature)
}

export function readVote(reader: Reader): Vote {
  const ballot = readBallot(reader)
  return { ...ballot, voter: reader.u16(), signature: reader.raw(SIGNATURE_BYTES).slice() }
}

export function writeBallot(writer: Writer, { type, height, round, blockHash }: Ballot): Writer {
  writer.u8(TYPE_NUMBER[type])
  writeCount(writer, height)
    .u32(round)
    .u8(blockHash === undefined ? 0 : 1)
  return blockHash === undefined ? writer : writeHash(writer, blockHash)
}

export function readBallot(reader: Reader): Ballot {
  const number = reader.u8()
  if (number !== 1 && number !== 2) throw new CodecError('CODEC_BAD_VALUE', 'A vote has an unknown type.')
  return {
    type: number === 1 ? 'prevote' : 'precommit',
    height: readCount(reader),
    round: readRound(reader),
    blockHash: reader.flag() ? readHash(reader) : undefined,
  }
}

export function encodeProposal(proposal: Proposal): Uint8Array {
  const writer = new Writer(proposal.block.length + 160)
  return writeProposalClaim(writer, proposal).bytes(proposal.block).raw(proposal.signature).finish()
}

/** The block inside stays bytes. @throws CodecError. */
export function decodeProposal(bytes: Uint8Array): Proposal {
  const reader = new Reader(bytes)
  const proposal = {
    ...readProposalClaim(reader),
    block: reader.bytes(CHAIN_LIMITS.blockBytesMax).slice(),
    signature: reader.raw(SIGNATURE_BYTES).slice(),
  }
  reader.finish()
  return proposal
}

export function writeProposalClaim(writer: Writer, { height, round, validRound, blockHash }: ProposalClaim): Writer {
  writeCount(writer, height).u32(round)
  return writeHash(writer.u32(validRound === undefined ? 0 : validRound + 1), blockHash)
}

export function readProposalClaim(reader: Reader): ProposalClaim {
  const height = readCount(reader)
  const round = readRound(reader)
  const validRound = readRound(reader)
  return { height, round, validRound: validRound === 0 ? undefined : validRound - 1, blockHash: readHash(reader) }
}
