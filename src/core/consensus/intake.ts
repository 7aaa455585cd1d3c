/**
 * Taking messages in: what is checked before a vote or a proposal counts, cheapest first, and what is kept of it. Decides
 * nothing; the rules do that with what is kept.
 * Spec: docs/spec/consensus.md §4.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import { CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import { CodecError } from '../../base/codec.ts'
import { type Block, decodeBlock } from '../block/block.ts'
import { keepEarlyProposal, receiveOtherVote } from './early.ts'
import { isSameProposal, proposalsConflict, votesConflict } from './evidence.ts'
import { digestOf, journal, judge, type Machine, relay } from './machine.ts'
import { type Proposal, proposalDigest, type Vote } from './messages.ts'
import type { Message } from './replica-port.ts'
import { type HeightState, isKeptRound, makeRoomAhead, roundOf, stakeOf, votesIn } from './round-state.ts'
import { addVote, tallyFor, votesOf } from './vote-set.ts'

export function receive(machine: Machine, from: PeerId | undefined, message: Message): void {
  if (message.type === 'vote') receiveVote(machine, from, message.vote)
  else receiveProposal(machine, from, message.proposal)
}

function receiveVote(machine: Machine, from: PeerId | undefined, vote: Vote): void {
  const { state, rules, ports } = machine
  if (!rules.isOfHeight(vote.height, state.height)) {
    receiveOtherVote(machine, from, vote)
    return
  }
  const member = state.head.validators.members[vote.voter]
  if (member === undefined) {
    judge(machine, from, { verdict: 'reject', code: 'VOTE_STRANGER', message: 'A vote is by nobody of the set.' })
    return
  }
  if (!isKeptRound(state, vote.round)) return
  const round = state.rounds.get(vote.round)
  if (round !== undefined) {
    const held = votesOf(votesIn(round, vote.type), vote.voter)
    if (rules.isCounted(held, vote) || !rules.hasRoom(held, isKnown(state, vote))) return
  }
  const signed = { signature: vote.signature, message: digestOf(machine, vote), publicKey: member.consensusKey }
  if (!ports.verify(signed)) {
    judge(machine, from, { verdict: 'reject', code: 'VOTE_BAD_SIGNATURE', message: 'A vote is not by its voter.' })
    return
  }
  noteRound(state, vote.voter, vote.round)
  if (!makeRoomAhead(state, vote)) return
  journal(machine, { type: 'heard', nowMs: machine.nowMs, message: { type: 'vote', vote } })
  relay(machine)
  countVote(machine, vote)
}

/**
 * Counts a vote whose signature is right, and tells when it contradicts an earlier one. Our own may have come back from others
 * before it was said again here.
 */
export function countVote(machine: Machine, vote: Vote): void {
  const { state, rules } = machine
  const votes = votesIn(roundOf(state, vote.round), vote.type)
  const held = votesOf(votes, vote.voter)
  if (rules.isCounted(held, vote)) return
  addVote(votes, vote, stakeOf(state, vote.voter), rules)
  const other = held.find((first) => votesConflict(first, vote))
  if (other === undefined || votes.reported.has(vote.voter) || !rules.reports()) return
  votes.reported.add(vote.voter)
  const [first, second] = [other, vote].map((each): Message => ({ type: 'vote', vote: each })) as [Message, Message]
  machine.effects.push({ type: 'evidence', voter: vote.voter, first, second })
}

function receiveProposal(machine: Machine, from: PeerId | undefined, proposal: Proposal): void {
  const { state, rules, ports } = machine
  if (!rules.isOfHeight(proposal.height, state.height)) {
    keepEarlyProposal(machine, from, proposal)
    return
  }
  const { validRound, blockHash } = proposal
  if (validRound !== undefined && validRound >= proposal.round) {
    const message = 'A proposal names a valid round that is not before its own.'
    judge(machine, from, { verdict: 'reject', code: 'PROPOSAL_BAD_ROUND', message })
    return
  }
  if (!hasRoomForProposal(state, machine, proposal)) return
  const proposer = ports.ledger.proposer(proposal.round)
  const message = proposalDigest(machine.networkId, proposal)
  const isProposers = rules
    .proposers(state.head.validators, proposer)
    .some(({ consensusKey }) => ports.verify({ signature: proposal.signature, message, publicKey: consensusKey }))
  if (!isProposers) {
    const text = 'A proposal is not by the proposer of its round.'
    judge(machine, from, { verdict: 'reject', code: 'PROPOSAL_WRONG_PROPOSER', message: text })
    return
  }
  noteRound(state, proposer, proposal.round)
  const block = blockOf(machine, proposal)
  if (block === undefined) {
    const text = 'A proposal holds another block than it names.'
    judge(machine, from, { verdict: 'reject', code: 'PROPOSAL_BROKEN_BLOCK', message: text })
    return
  }
  journal(machine, { type: 'heard', nowMs: machine.nowMs, message: { type: 'proposal', proposal } })
  relay(machine)
  if (!state.blocks.has(blockHash)) state.blocks.set(blockHash, { block, verdict: undefined, work: 'none' })
  keepProposal(machine, from, proposal)
}

/** Keeps a proposal whose signature is right and whose block is held, and tells when it contradicts another one. */
export function keepProposal(machine: Machine, from: PeerId | undefined, proposal: Proposal): void {
  const { state, rules } = machine
  const round = roundOf(state, proposal.round)
  if (round.proposals.some((held) => isSameProposal(held.proposal, proposal))) return
  const other = round.proposals.find((held) => proposalsConflict(held.proposal, proposal))
  round.proposals.push({ proposal, arrivedMs: machine.nowMs, from })
  dropFarthestProposal(state)
  if (other === undefined || round.isProposerReported || !rules.reports()) return
  round.isProposerReported = true
  machine.effects.push({
    type: 'evidence',
    voter: machine.ports.ledger.proposer(proposal.round),
    first: { type: 'proposal', proposal: other.proposal },
    second: { type: 'proposal', proposal },
  })
}

/** The block in a proposal; undefined when it is not the one that the proposal names. */
function blockOf(machine: Machine, { block: bytes, blockHash }: Proposal): Block | undefined {
  const known = machine.state.blocks.get(blockHash)
  const { ledger } = machine.ports
  try {
    const block = decodeBlock(bytes)
    if (ledger.hashOf(block) !== blockHash) return undefined
    return known?.block ?? (ledger.isWhole(block) ? block : undefined)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** Two proposals of a round are evidence, and a third is kept if a quorum names it; long past rounds only take such. */
function hasRoomForProposal(state: HeightState, machine: Machine, proposal: Proposal): boolean {
  const held = state.rounds.get(proposal.round)?.proposals ?? []
  if (held.some((other) => isSameProposal(other.proposal, proposal))) return false
  const isRecent = proposal.round >= state.round - CONSENSUS_LIMITS.proposalRoundsBehindMax
  if (isRecent && held.length < 2) return true
  return held.length < CONSENSUS_LIMITS.proposalsPerRoundMax && isWanted(state, machine, proposal)
}

/** Whether a quorum, or our own lock, names a block. */
function isWanted(state: HeightState, { rules }: Machine, { blockHash }: Proposal): boolean {
  if (blockHash === state.locked?.hash || blockHash === state.valid?.hash) return true
  const { validators } = state.head
  for (const { prevotes, precommits } of state.rounds.values()) {
    if (rules.isQuorum(validators, tallyFor(prevotes, blockHash))) return true
    if (rules.isQuorum(validators, tallyFor(precommits, blockHash))) return true
  }
  return false
}

/** Of too many proposals for rounds ahead the farthest goes: its round is the least likely to come. */
function dropFarthestProposal(state: HeightState): void {
  const ahead = [...state.rounds].filter(([number, { proposals }]) => number > state.round && proposals.length > 0)
  const count = ahead.reduce((sum, [, { proposals }]) => sum + proposals.length, 0)
  if (count <= CONSENSUS_LIMITS.proposalsAheadMax) return
  const [, farthest] = ahead.reduce((one, other) => (other[0] > one[0] ? other : one))
  farthest.proposals.pop()
}

function isKnown(state: HeightState, { blockHash }: Vote): boolean {
  return blockHash === undefined || state.blocks.has(blockHash)
}

function noteRound(state: HeightState, voter: number, round: number): void {
  if (round > (state.newestRounds[voter] ?? -1)) state.newestRounds[voter] = round
}
