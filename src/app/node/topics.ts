/**
 * What nodes tell each other unasked: transactions, proposals, votes. Topics, their bounds, and how proposals and votes stand
 * in one list. Spec: docs/spec/wire.md §5.
 * @module
 */
import { concatBytes } from '@noble/hashes/utils.js'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError } from '../../base/codec.ts'
import {
  decodeProposal,
  decodeVote,
  encodeProposal,
  encodeVote,
  type Proposal,
  type Vote,
} from '../../core/consensus/messages.ts'
import type { NewsOptions, Topic } from '../../net/wire.ts'

export const TOPICS: Readonly<Record<'transaction' | 'proposal' | 'vote', Topic>> = {
  transaction: 'dllm/transaction/1',
  proposal: 'dllm/proposal/1',
  vote: 'dllm/vote/1',
}

export const TOPIC_OPTIONS: Readonly<Record<keyof typeof TOPICS, NewsOptions>> = {
  transaction: { messageBytesMax: CHAIN_LIMITS.transactionBytesMax },
  proposal: { messageBytesMax: CHAIN_LIMITS.proposalBytesMax },
  vote: { messageBytesMax: CHAIN_LIMITS.voteBytesMax },
}

/** What validators say. */
export type ConsensusMessage =
  | { readonly type: 'proposal'; readonly proposal: Proposal }
  | { readonly type: 'vote'; readonly vote: Vote }

const PROPOSAL = Uint8Array.of(0)
const VOTE = Uint8Array.of(1)

/** With a byte in front that says which. */
export function encodeConsensusMessage(message: ConsensusMessage): Uint8Array {
  return message.type === 'proposal'
    ? concatBytes(PROPOSAL, encodeProposal(message.proposal))
    : concatBytes(VOTE, encodeVote(message.vote))
}

/** @throws CodecError. */
export function decodeConsensusMessage(bytes: Uint8Array): ConsensusMessage {
  const rest = bytes.subarray(1)
  if (bytes[0] === PROPOSAL[0]) return { type: 'proposal', proposal: decodeProposal(rest) }
  if (bytes[0] === VOTE[0]) return { type: 'vote', vote: decodeVote(rest) }
  throw new CodecError('CODEC_BAD_VALUE', 'A message of validators is of an unknown kind.')
}
