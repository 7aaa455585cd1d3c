/**
 * Messages of other heights: late precommits of the block before, early votes for the height after, and the news that the others
 * are ahead. Bounded per member, which each message is proven to be of; strangers and old messages are answered by nothing.
 * Spec: docs/spec/consensus.md §4.
 * @module
 */
import type { AccountId, PeerId } from '../../base/brand.ts'
import { CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader } from '../../base/codec.ts'
import { readHeader } from '../block/block.ts'
import { digestOf, type Early, judge, type LastHeight, type Machine, relay } from './machine.ts'
import { type Proposal, proposalDigest, type Vote } from './messages.ts'
import { stakeOf } from './round-state.ts'
import type { Member } from './validator-set.ts'
import { hasHonest } from './validator-set.ts'

export function createEarly(): Early {
  return { votes: new Map(), proposals: [], heights: new Map(), toldHeight: 0 }
}

export function receiveOtherVote(machine: Machine, from: PeerId | undefined, vote: Vote): void {
  const { state } = machine
  if (vote.height === state.height - 1) receiveLate(machine, from, vote)
  else if (vote.height > state.height) receiveEarly(machine, from, vote)
}

/** A precommit for the block that is final already goes into its commit: its voter is paid for it. */
function receiveLate(machine: Machine, from: PeerId | undefined, vote: Vote): void {
  const { validators, commit } = machine.last
  if (validators === undefined || commit === undefined || vote.type !== 'precommit') return
  if (vote.round !== commit.round || vote.blockHash !== commit.blockHash) return
  const member = validators.members[vote.voter]
  if (member === undefined || commit.signatures[vote.voter] !== undefined) return
  if (!isBy(machine, member, vote)) {
    judge(machine, from, { verdict: 'reject', code: 'VOTE_BAD_SIGNATURE', message: 'A vote is not by its voter.' })
    return
  }
  const signatures = commit.signatures.map((held, voter) => (voter === vote.voter ? vote.signature : held))
  machine.last = { ...machine.last, commit: { ...commit, signatures } } satisfies LastHeight
  relay(machine)
}

/**
 * The set of a later height may be another one: a vote that does not verify with ours is passed over, not blamed. What is lost
 * that way comes again with a summary.
 */
function receiveEarly(machine: Machine, from: PeerId | undefined, vote: Vote): void {
  const { early, state } = machine
  const member = state.head.validators.members[vote.voter]
  if (member === undefined) return
  const isNews = vote.height > (early.heights.get(vote.voter) ?? 0)
  const isKept = vote.height === state.height + 1 && hasRoom(early, vote)
  if ((!isNews && !isKept) || !isBy(machine, member, vote)) return
  if (isKept) early.votes.set(vote.voter, [...(early.votes.get(vote.voter) ?? []), { from, vote }])
  if (!isNews) return
  early.heights.set(vote.voter, vote.height)
  tellBehind(machine)
}

/**
 * At most a few, one of each member: who proposes is not known before our height ends, but it signed and its block names it. So no stranger
 * takes a place, however many peers it has, and a member takes its own. A block proposed again names another member and is passed
 * over: it comes with a summary.
 */
export function keepEarlyProposal(machine: Machine, from: PeerId | undefined, proposal: Proposal): void {
  const { early, state, ports } = machine
  if (proposal.height !== state.height + 1) return
  const proposer = proposerIn(proposal)
  const member = state.head.validators.members.find(({ id }) => id === proposer)
  if (member === undefined || early.proposals.some((held) => proposerIn(held.proposal) === proposer)) return
  if (early.proposals.length >= CONSENSUS_LIMITS.nextHeightProposalsMax) return
  const message = proposalDigest(machine.networkId, proposal)
  if (!ports.verify({ signature: proposal.signature, message, publicKey: member.consensusKey })) return
  early.proposals.push({ from, proposal })
}

/** Whom the block names; undefined when it cannot be read. */
function proposerIn({ block }: Proposal): AccountId | undefined {
  try {
    return readHeader(new Reader(block)).proposer
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** What came early, once its height has begun; forgets it. */
export function takeEarly(
  early: Early,
  height: number,
): Pick<Early, 'proposals'> & { readonly votes: readonly EarlyVote[] } {
  const votes = [...early.votes.values()].flat()
  const proposals = early.proposals.splice(0)
  early.votes.clear()
  for (const [voter, seen] of early.heights) if (seen <= height) early.heights.delete(voter)
  return { votes, proposals }
}

interface EarlyVote {
  readonly from: PeerId | undefined
  readonly vote: Vote
}

/** The largest height that more than ⅓ of the stake has reached: an honest validator is there. */
function tellBehind(machine: Machine): void {
  const { early, state } = machine
  let stake = 0n
  for (const [voter, height] of [...early.heights].sort(([, a], [, b]) => b - a)) {
    stake += stakeOf(state, voter)
    if (!hasHonest(state.head.validators, stake)) continue
    if (height > early.toldHeight) {
      early.toldHeight = height
      machine.effects.push({ type: 'behind', height })
    }
    return
  }
}

function hasRoom(early: Early, vote: Vote): boolean {
  const held = early.votes.get(vote.voter) ?? []
  if (held.length >= CONSENSUS_LIMITS.nextHeightVotesPerVoterMax) return false
  return !held.some(({ vote: other }) => isAlike(other, vote))
}

function isAlike(one: Vote, other: Vote): boolean {
  return one.type === other.type && one.round === other.round && one.blockHash === other.blockHash
}

function isBy(machine: Machine, member: Member, vote: Vote): boolean {
  const message = digestOf(machine, vote)
  return machine.ports.verify({ signature: vote.signature, message, publicKey: member.consensusKey })
}
