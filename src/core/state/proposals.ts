/**
 * Proposals that can be voted on, of parameters or of a model's life, and the votes on them. What the voters have bonded is added up as it changes, in one record
 * for all open proposals, so that neither the end of a vote nor a change of a bond hangs on how many voted.
 * The deposit changes only by money.ts. Spec: docs/spec/chain.md §2, §5; of models: docs/spec/market.md §13.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../fields.ts'
import { type ParameterChange, readChanges, writeChanges } from '../parameters.ts'
import { getAccount } from './accounts.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'

/** That parameters change with the next epoch. */
export interface ParameterSubject {
  readonly type: 'parameters'
  readonly changes: readonly ParameterChange[]
}

/** That a published model takes its predecessor's place, or a superseded one takes its own place back. */
export interface ModelSubject {
  readonly type: 'model'
  /** Hash of the manifest. */
  readonly model: Hash
  /** Of the registration that is meant: who registers the model anew, on other terms, is not. */
  readonly registeredHeight: number
  /** Of the block at whose end it is to be active, at the earliest. */
  readonly activationHeight: number
}

export type ProposalSubject = ParameterSubject | ModelSubject

/** As their numbers say in a record: new ones go to the end. */
const SUBJECTS = ['parameters', 'model'] as const

export interface Proposal {
  readonly proposer: AccountId
  /** Grains. */
  readonly deposit: bigint
  /** The last block in which it can be voted on, at whose end it is tallied: the last of an epoch. */
  readonly endHeight: number
  readonly subject: ProposalSubject
}

/** An open proposal by its number, and what its voters have bonded now. Grains. */
export interface Tally {
  readonly number: number
  readonly yes: bigint
  readonly no: bigint
}

const TALLIES_KEY: StateKey = stateKey(TABLE.openProposals)

export function proposalKey(number: number): StateKey {
  return stateKey(TABLE.proposal, keyNumber(number))
}

export function getProposal(state: ReadState, number: number): Proposal | undefined {
  return getRecord(state, proposalKey(number), readProposal)
}

/** Opens a proposal, or changes one. Asserts that there is room for a new one. */
export function putProposal(state: WriteState, number: number, proposal: Proposal): void {
  const open = openProposals(state)
  if (open.every((tally) => tally.number !== number)) {
    putTallies(
      state,
      [...open, { number, yes: 0n, no: 0n }].sort((one, other) => one.number - other.number),
    )
  }
  putRecord(state, proposalKey(number), (writer) => {
    writeCount(writeAccount(writer, proposal.proposer).u64(proposal.deposit), proposal.endHeight)
    writeSubject(writer, proposal.subject)
  })
}

/** The open proposals in the order of their numbers; at most `CHAIN_LIMITS.openProposalsMax`. */
export function openProposals(state: ReadState): readonly Tally[] {
  return getRecord(state, TALLIES_KEY, readTallies) ?? []
}

/** The open ones with their tallies, in the order of their numbers. */
export function* proposals(state: ReadState): Iterable<Proposal & Tally> {
  for (const tally of openProposals(state)) {
    const proposal = getProposal(state, tally.number)
    assert(proposal !== undefined, 'an open proposal has a record')
    yield { ...proposal, ...tally }
  }
}

/** Numbers of all records of proposals; only a checker needs them beside the open ones. */
export function* proposalNumbers(state: ReadState): Iterable<number> {
  for (const [key] of state.entries(stateKey(TABLE.proposal))) yield numberInKey(key, 0)
}

export function readProposal(reader: Reader): Proposal {
  return {
    proposer: readAccount(reader),
    deposit: reader.u64(),
    endHeight: readCount(reader),
    subject: readSubject(reader),
  }
}

function readSubject(reader: Reader): ProposalSubject {
  const type = SUBJECTS[reader.u8()]
  if (type === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A proposal is of an unknown kind.')
  if (type === 'parameters') return { type, changes: readChanges(reader) }
  const model = readHash(reader)
  return { type, model, registeredHeight: readCount(reader), activationHeight: readCount(reader) }
}

function writeSubject(writer: Writer, subject: ProposalSubject): void {
  writer.u8(SUBJECTS.indexOf(subject.type))
  if (subject.type === 'parameters') {
    writeChanges(writer, subject.changes)
    return
  }
  writeCount(writeCount(writeHash(writer, subject.model), subject.registeredHeight), subject.activationHeight)
}

/** What somebody said to a proposal. */
export interface ParameterVote {
  readonly proposal: number
  readonly yes: boolean
}

export function parameterVotesKey(voter: AccountId): StateKey {
  return stateKey(TABLE.parameterVote, voter)
}

/** By the numbers of the proposals. Votes on closed ones are among them until the voter votes again or its bonds change. */
export function getParameterVotes(state: ReadState, voter: AccountId): readonly ParameterVote[] {
  return getRecord(state, parameterVotesKey(voter), readVotes) ?? []
}

/** Of everybody who voted, in the order of their ids. */
export function* parameterVotes(state: ReadState): Iterable<readonly [AccountId, readonly ParameterVote[]]> {
  for (const [key, votes] of records(state, stateKey(TABLE.parameterVote), readVotes)) {
    yield [accountInKey(key, 0), votes]
  }
}

/** Counts a vote on an open proposal, with all that the voter has bonded. A second one takes the place of the first. */
export function castVote(state: WriteState, voter: AccountId, vote: ParameterVote): void {
  const { bonded } = getAccount(state, voter)
  const open = openProposals(state)
  assert(
    open.some(({ number }) => number === vote.proposal),
    'votes are cast on open proposals',
  )
  const votes = openVotes(open, getParameterVotes(state, voter))
  const before = votes.filter(({ proposal }) => proposal === vote.proposal)
  const others = votes.filter(({ proposal }) => proposal !== vote.proposal)
  putTallies(state, weighed(weighed(open, before, -bonded), [vote], bonded))
  putVotes(
    state,
    voter,
    [...others, vote].sort((one, other) => one.proposal - other.proposal),
  )
}

/** What a voter has bonded grew by `change` grains or, below 0, shrank: so did the sides that it is on. Only for money.ts. */
export function reweighVotes(state: WriteState, voter: AccountId, change: bigint): void {
  const known = getParameterVotes(state, voter)
  if (known.length === 0) return
  const open = openProposals(state)
  const votes = openVotes(open, known)
  if (votes.length < known.length) putVotes(state, voter, votes)
  if (votes.length > 0) putTallies(state, weighed(open, votes, change))
}

/** Forgets a proposal, whose deposit was moved. */
export function removeProposal(state: WriteState, number: number): void {
  assert(getProposal(state, number)?.deposit === 0n, 'a proposal is removed without money in it')
  state.set(proposalKey(number), undefined)
  putTallies(
    state,
    openProposals(state).filter((tally) => tally.number !== number),
  )
}

/** Those on open proposals. */
function openVotes(open: readonly Tally[], votes: readonly ParameterVote[]): ParameterVote[] {
  const numbers = new Set(open.map(({ number }) => number))
  return votes.filter(({ proposal }) => numbers.has(proposal))
}

function weighed(open: readonly Tally[], votes: readonly ParameterVote[], change: bigint): Tally[] {
  const sides = new Map(votes.map(({ proposal, yes }) => [proposal, yes]))
  return open.map((tally) => {
    const yes = sides.get(tally.number)
    if (yes === undefined) return tally
    const side = yes ? 'yes' : 'no'
    const sum = tally[side] + change
    assert(sum >= 0n, 'a side is the sum of what its voters have bonded')
    return { ...tally, [side]: sum }
  })
}

function putTallies(state: WriteState, open: readonly Tally[]): void {
  assert(open.length <= CHAIN_LIMITS.openProposalsMax, 'a proposal is refused when too many are open')
  if (open.length === 0) {
    state.set(TALLIES_KEY, undefined)
    return
  }
  putRecord(state, TALLIES_KEY, (writer) => {
    writer.list(open, (inner, { number, yes, no }) => writeCount(inner, number).u64(yes).u64(no))
  })
}

function readTallies(reader: Reader): Tally[] {
  return reader.list(CHAIN_LIMITS.openProposalsMax, (inner) => ({
    number: readCount(inner),
    yes: inner.u64(),
    no: inner.u64(),
  }))
}

function putVotes(state: WriteState, voter: AccountId, votes: readonly ParameterVote[]): void {
  const key = parameterVotesKey(voter)
  if (votes.length === 0) state.set(key, undefined)
  else
    putRecord(state, key, (writer) => {
      writer.list(votes, (inner, { proposal, yes }) => writeCount(inner, proposal).u8(yes ? 1 : 0))
    })
}

function readVotes(reader: Reader): ParameterVote[] {
  return reader.list(CHAIN_LIMITS.openProposalsMax, (inner) => ({ proposal: readCount(inner), yes: inner.flag() }))
}
