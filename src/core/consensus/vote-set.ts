/**
 * The votes of one height, round and type, tallied by stake. A voter counts once in the whole and once for each block; what
 * one voter can make this keep is bounded. Verifies nothing.
 * Spec: docs/spec/consensus.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import type { Vote } from './messages.ts'
import type { ValidatorSet } from './validator-set.ts'

/** Who voted alike: their stake in grains, and how many they are. */
export interface Tally {
  stake: bigint
  heads: number
}

export interface VoteSet {
  /** By voter: its votes, the first one first. */
  readonly votes: (Vote[] | undefined)[]
  /** Every voter once. */
  readonly all: Tally
  /** By block; nil under `undefined`. */
  readonly byBlock: Map<Hash | undefined, Tally>
  /** Of which evidence went out. */
  readonly reported: Set<number>
}

/** How votes are counted; the tests break it. */
export interface CountingRules {
  /** Whether a voter's vote was counted before. */
  isCounted(held: readonly Vote[], vote: Vote): boolean
  /** Whether a vote counts in the whole, given what is held of its voter. */
  countsInWhole(held: readonly Vote[]): boolean
  /**
   * Whether a vote that is not counted may be kept: two of a voter, which are evidence, and a few more if the block is known.
   * Without those an equivocating voter could hide, by showing its other votes first, that a block had a quorum.
   */
  hasRoom(held: readonly Vote[], isKnownBlock: boolean): boolean
}

export const COUNTING_RULES: CountingRules = {
  isCounted: (held, vote) => held.some(({ blockHash }) => blockHash === vote.blockHash),
  countsInWhole: (held) => held.length === 0,
  hasRoom: ({ length }, isKnownBlock) => length < 2 || (isKnownBlock && length < CONSENSUS_LIMITS.votesPerVoterMax),
}

const NONE: Readonly<Tally> = { stake: 0n, heads: 0 }
const NO_VOTES: readonly Vote[] = []

export function createVoteSet(): VoteSet {
  return { votes: [], all: { stake: 0n, heads: 0 }, byBlock: new Map(), reported: new Set() }
}

export function votesOf(set: VoteSet, voter: number): readonly Vote[] {
  return set.votes[voter] ?? NO_VOTES
}

/** The tally for a block, or for nil. */
export function tallyFor(set: VoteSet, blockHash: Hash | undefined): Readonly<Tally> {
  return set.byBlock.get(blockHash) ?? NONE
}

/** Counts a verified vote of a member that is not counted yet. */
export function addVote(set: VoteSet, vote: Vote, stake: bigint, rules: CountingRules): void {
  const held = set.votes[vote.voter] ?? []
  if (rules.countsInWhole(held)) grow(set.all, stake)
  const tally = set.byBlock.get(vote.blockHash)
  if (tally === undefined) set.byBlock.set(vote.blockHash, { stake, heads: 1 })
  else grow(tally, stake)
  set.votes[vote.voter] = [...held, vote]
}

/** Forgets a voter's votes. */
export function removeVoter(set: VoteSet, voter: number, stake: bigint): void {
  const held = votesOf(set, voter)
  if (held.length === 0) return
  shrink(set.all, stake)
  for (const { blockHash } of held) {
    const tally = set.byBlock.get(blockHash)
    if (tally === undefined) continue
    shrink(tally, stake)
    if (tally.heads === 0) set.byBlock.delete(blockHash)
  }
  set.votes[voter] = undefined
  set.reported.delete(voter)
}

/** The signatures for a block, in the order of the set; undefined for who did not vote for it. */
export function signaturesFor(set: VoteSet, validators: ValidatorSet, blockHash: Hash): (Uint8Array | undefined)[] {
  return validators.members.map(
    (_member, voter) => votesOf(set, voter).find((vote) => vote.blockHash === blockHash)?.signature,
  )
}

function grow(tally: Tally, stake: bigint): void {
  tally.stake += stake
  tally.heads += 1
}

function shrink(tally: Tally, stake: bigint): void {
  tally.stake -= stake
  tally.heads -= 1
}
