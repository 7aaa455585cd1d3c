/**
 * Pull-based repair: a summary of what a replica holds of its height, and what another one can give for it. After partitions and
 * losses this makes sure that everybody comes to hold the same messages.
 * Spec: docs/spec/consensus.md §7.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS, CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { readCount, readHash, readRound, writeCount, writeHash } from '../fields.ts'
import type { Machine } from './machine.ts'
import type { Vote, VoteType } from './messages.ts'
import type { Message } from './replica-port.ts'
import { type HeightState, type Round, votesIn } from './round-state.ts'
import type { ValidatorSet } from './validator-set.ts'
import { type VoteSet, votesOf } from './vote-set.ts'

export interface VotesSummary {
  /** One bit per member, lowest bit first, in whole bytes: of whom a vote is held. */
  readonly voters: Uint8Array
  /** Whether some block, or nil, has a quorum. Without one, and nobody missing, the peer lacks second votes of an equivocator. */
  readonly hasQuorum: boolean
}

export interface RoundSummary {
  readonly round: number
  /** Blocks whose proposals are held. */
  readonly proposals: readonly Hash[]
  readonly prevotes: VotesSummary
  readonly precommits: VotesSummary
}

export interface ConsensusSummary {
  /** That is being decided. */
  readonly height: number
  readonly round: number
  /** The newest rounds of which anything is held, and those of the lock. */
  readonly rounds: readonly RoundSummary[]
}

const BITMAP_BYTES_MAX = CHAIN_LIMITS.validatorsMax / 8
const TYPES: readonly VoteType[] = ['prevote', 'precommit']

export function summarize(machine: Machine): ConsensusSummary {
  const { state } = machine
  const rounds = keptForSummary(state).map(([round, held]) => ({
    round,
    proposals: [...new Set(held.proposals.map(({ proposal }) => proposal.blockHash))].slice(
      0,
      CONSENSUS_LIMITS.summaryProposalsPerRoundMax,
    ),
    prevotes: summarizeVotes(machine, held.prevotes),
    precommits: summarizeVotes(machine, held.precommits),
  }))
  return { height: state.height, round: state.round, rounds }
}

/** At most `limit` messages that the summary's owner lacks: of its height, or the votes that ended it. */
export function missingFor(machine: Machine, summary: ConsensusSummary, limit: number): Message[] {
  const { state } = machine
  if (summary.height === state.height - 1) return missingLast(machine, summary, limit)
  if (summary.height !== state.height) return []
  const messages: Message[] = []
  let proposals = 0
  for (const [number, round] of keptForSummary(state)) {
    const theirs = summary.rounds.find((other) => other.round === number)
    for (const { proposal } of round.proposals) {
      const isHeld = theirs?.proposals.includes(proposal.blockHash) ?? false
      if (isHeld || proposals >= CONSENSUS_LIMITS.answerProposalsMax) continue
      proposals += 1
      messages.push({ type: 'proposal', proposal })
    }
    for (const type of TYPES) {
      const votes = missingVotes(machine, votesIn(round, type), theirs?.[`${type}s`])
      messages.push(...votes.map((vote): Message => ({ type: 'vote', vote })))
    }
    if (messages.length >= limit) break
  }
  return messages.slice(0, limit)
}

/** The newest rounds first: those decide where a peer goes. */
function keptForSummary(state: HeightState): [number, Round][] {
  const wanted = [state.valid?.round, state.locked?.round]
  const sorted = [...state.rounds].sort(([a], [b]) => b - a)
  const first = sorted.filter(([round]) => wanted.includes(round))
  const others = sorted.filter(([round]) => !wanted.includes(round))
  return [...first, ...others].slice(0, CONSENSUS_LIMITS.summaryRoundsMax)
}

function missingVotes({ state, rules }: Machine, ours: VoteSet, theirs: VotesSummary | undefined): Vote[] {
  const { validators } = state.head
  const held = ours.votes.flatMap((votes) => votes ?? [])
  const missing = held.filter(({ voter }) => theirs === undefined || !hasBit(theirs.voters, voter))
  if (missing.length > 0 || theirs === undefined || theirs.hasQuorum) return missing
  // They heard everybody, and yet see no quorum where we see one: somebody voted twice, and showed them the other vote.
  const found = [...ours.byBlock].find(([, tally]) => rules.isQuorum(validators, tally))
  return found === undefined ? [] : held.filter(({ blockHash }) => blockHash === found[0])
}

function missingLast({ last }: Machine, summary: ConsensusSummary, limit: number): Message[] {
  const { commit, proposal } = last
  if (commit === undefined) return []
  const { height, round, blockHash } = commit
  const theirs = summary.rounds.find((other) => other.round === round)
  const messages: Message[] = []
  const holds = summary.rounds.some(({ proposals }) => proposals.includes(blockHash))
  if (proposal !== undefined && !holds) messages.push({ type: 'proposal', proposal })
  for (const [voter, signature] of commit.signatures.entries()) {
    if (signature === undefined) continue
    messages.push({ type: 'vote', vote: { type: 'precommit', height, round, blockHash, voter, signature } })
  }
  const isFull = theirs?.precommits.hasQuorum ?? false
  return (isFull ? messages.filter(({ type }) => type === 'proposal') : messages).slice(0, limit)
}

function summarizeVotes({ state, rules }: Machine, votes: VoteSet): VotesSummary {
  const { validators } = state.head
  const hasQuorum = [...votes.byBlock.values()].some((tally) => rules.isQuorum(validators, tally))
  return { voters: bitmap(validators, votes), hasQuorum }
}

function bitmap({ members }: ValidatorSet, votes: VoteSet): Uint8Array {
  const bits = new Uint8Array(Math.ceil(members.length / 8))
  for (let voter = 0; voter < members.length; voter++) {
    if (votesOf(votes, voter).length > 0) bits[voter >> 3] = (bits[voter >> 3] ?? 0) | (1 << (voter & 7))
  }
  return bits
}

function hasBit(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

export function encodeSummary(summary: ConsensusSummary): Uint8Array {
  const writer = new Writer(1_024)
  writeCount(writer, summary.height).u32(summary.round)
  return writer
    .list(summary.rounds, (inner, { round, proposals, prevotes, precommits }) => {
      inner.u32(round).list(proposals, writeHash)
      writeVotes(inner, prevotes)
      writeVotes(inner, precommits)
    })
    .finish()
}

/** @throws CodecError. */
export function decodeSummary(bytes: Uint8Array): ConsensusSummary {
  const reader = new Reader(bytes)
  const height = readCount(reader)
  const round = readRound(reader)
  const rounds = reader.list(CONSENSUS_LIMITS.summaryRoundsMax, (inner) => ({
    round: readRound(inner),
    proposals: inner.list(CONSENSUS_LIMITS.summaryProposalsPerRoundMax, readHash),
    prevotes: readVotes(inner),
    precommits: readVotes(inner),
  }))
  reader.finish()
  if (new Set(rounds.map((each) => each.round)).size !== rounds.length) {
    throw new CodecError('CODEC_BAD_VALUE', 'A summary names a round twice.')
  }
  return { height, round, rounds }
}

function writeVotes(writer: Writer, { voters, hasQuorum }: VotesSummary): void {
  writer.bytes(voters).u8(hasQuorum ? 1 : 0)
}

function readVotes(reader: Reader): VotesSummary {
  return { voters: reader.bytes(BITMAP_BYTES_MAX).slice(), hasQuorum: reader.flag() }
}
