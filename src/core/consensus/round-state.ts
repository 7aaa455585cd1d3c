/**
 * What a replica holds of the height being decided: rounds with their proposals and votes, blocks, lock, and who was seen in which
 * round. Data and bookkeeping; the decisions are in rules/.
 * Spec: docs/spec/consensus.md §1, §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash, Milliseconds, PeerId } from '../../base/brand.ts'
import { CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import type { Block } from '../block/block.ts'
import type { BlockRequest } from '../block/produce.ts'
import type { Head, Refusal } from './ledger.ts'
import type { Proposal, Vote, VoteType } from './messages.ts'
import type { Lock } from './replica-port.ts'
import { equalBytes } from './sign-guard.ts'
import { hasHonest } from './validator-set.ts'
import { createVoteSet, removeVoter, tallyFor, type VoteSet } from './vote-set.ts'

/** `commit`: the pause before round 0. */
export type Step = 'commit' | 'propose' | 'prevote' | 'precommit'

export interface HeldProposal {
  readonly proposal: Proposal
  readonly arrivedMs: Milliseconds
  readonly from: PeerId | undefined
}

export interface Round {
  readonly proposals: HeldProposal[]
  readonly prevotes: VoteSet
  readonly precommits: VoteSet
  isProposerReported: boolean
}

/** A block that was proposed. The verdict is asked for when it matters: checking executes the block. */
export interface Candidate {
  readonly block: Block
  verdict: { readonly refusal: Refusal | undefined } | undefined
  work: WorkState
}

/** Whether the ledger's work on it was asked for ahead, and whether it is done. It is asked for once. */
export type WorkState = 'none' | 'asked' | 'done'

export interface HeightState {
  readonly head: Head
  /** That is being decided. */
  readonly height: number
  /** Our index in the set, or -1. */
  readonly self: number
  round: number
  step: Step
  locked: Lock | undefined
  valid: Lock | undefined
  readonly rounds: Map<number, Round>
  readonly blocks: Map<Hash, Candidate>
  /** The new block that this replica is about to propose, while the ledger makes it. */
  making: { readonly request: BlockRequest; work: WorkState } | undefined
  /** By voter: its newest round that a verified message came from. */
  readonly newestRounds: number[]
  /** Timers that were set, each once: `round/step`. */
  readonly timers: Set<string>
}

export function createHeightState(head: Head, publicKey: Uint8Array | undefined): HeightState {
  const { members } = head.validators
  return {
    head,
    height: head.height + 1,
    self: publicKey === undefined ? -1 : members.findIndex(({ consensusKey }) => equalBytes(consensusKey, publicKey)),
    round: 0,
    step: 'commit',
    locked: undefined,
    valid: undefined,
    rounds: new Map(),
    blocks: new Map(),
    making: undefined,
    newestRounds: members.map(() => -1),
    timers: new Set(),
  }
}

/** The round's record, made when there is none. */
export function roundOf(state: HeightState, round: number): Round {
  const found = state.rounds.get(round)
  if (found !== undefined) return found
  const made: Round = {
    proposals: [],
    prevotes: createVoteSet(),
    precommits: createVoteSet(),
    isProposerReported: false,
  }
  state.rounds.set(round, made)
  return made
}

export function votesIn(round: Round, type: VoteType): VoteSet {
  return type === 'prevote' ? round.prevotes : round.precommits
}

export function stakeOf(state: HeightState, voter: number): bigint {
  const member = state.head.validators.members[voter]
  assert(member !== undefined, 'the voter is a member')
  return member.stake
}

/** Whether messages of a round are kept at all. */
export function isKeptRound(state: HeightState, round: number): boolean {
  if (round >= state.round - CONSENSUS_LIMITS.roundsBehindMax) return true
  if (round === state.locked?.round || round === state.valid?.round) return true
  const current = state.rounds.get(state.round)
  return current?.proposals.some(({ proposal }) => proposal.validRound === round) ?? false
}

/**
 * Makes room for a vote of a round ahead of ours: each voter may have votes in the next round and in its newest one.
 * Gives whether the vote may be kept.
 */
export function makeRoomAhead(state: HeightState, vote: Vote): boolean {
  if (vote.round <= state.round) return true
  const held = [...state.rounds.keys()].filter((round) => round > state.round && hasVotes(state, round, vote.voter))
  if (held.includes(vote.round) || held.length < CONSENSUS_LIMITS.roundsAheadPerVoterMax) return true
  const dropped = Math.max(...held)
  if (vote.round > state.round + 1 && vote.round < dropped) return false
  forgetVoter(state, dropped, vote.voter)
  return true
}

/** Forgets rounds that are too far behind, and blocks that only they proposed. */
export function prune(state: HeightState): void {
  for (const [number, round] of state.rounds) {
    if (number >= state.round) continue
    if (!isKeptRound(state, number)) state.rounds.delete(number)
    else if (number < state.round - CONSENSUS_LIMITS.proposalRoundsBehindMax) dropProposals(state, round)
  }
  const named = new Set<Hash | undefined>([state.locked?.hash, state.valid?.hash])
  for (const round of state.rounds.values()) {
    for (const { proposal } of round.proposals) named.add(proposal.blockHash)
  }
  for (const hash of state.blocks.keys()) if (!named.has(hash)) state.blocks.delete(hash)
}

/** The held proposal that carries a block, for proposing it again or giving it to others. */
export function proposalWith(state: HeightState, hash: Hash): Proposal | undefined {
  for (const { proposals } of state.rounds.values()) {
    const found = proposals.find(({ proposal }) => proposal.blockHash === hash)
    if (found !== undefined) return found.proposal
  }
  return undefined
}

/** Proposals that a lock, or an honest precommit, names may still be needed. */
function dropProposals(state: HeightState, round: Round): void {
  const kept = round.proposals.filter(
    ({ proposal: { blockHash } }) =>
      blockHash === state.locked?.hash ||
      blockHash === state.valid?.hash ||
      hasHonest(state.head.validators, tallyFor(round.precommits, blockHash).stake),
  )
  round.proposals.splice(0, round.proposals.length, ...kept)
}

function hasVotes(state: HeightState, round: number, voter: number): boolean {
  const held = state.rounds.get(round)
  return held?.prevotes.votes[voter] !== undefined || held?.precommits.votes[voter] !== undefined
}

function forgetVoter(state: HeightState, number: number, voter: number): void {
  const round = state.rounds.get(number)
  if (round === undefined) return
  removeVoter(round.prevotes, voter, stakeOf(state, voter))
  removeVoter(round.precommits, voter, stakeOf(state, voter))
  const isEmpty = round.prevotes.all.heads + round.precommits.all.heads + round.proposals.length === 0
  if (isEmpty) state.rounds.delete(number)
}
