/**
 * Parameter proposals that can be voted on, and the votes on them. What the voters have bonded is added up as it changes, so that the
 * end of a vote costs the same however many voted. The deposit changes only by money.ts.
 * Spec: docs/spec/chain.md §2, §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import type { Reader } from '../../base/codec.ts'
import { readAccount, readCount, writeAccount, writeCount } from '../fields.ts'
import { type ParameterChange, readChanges, writeChanges } from '../parameters.ts'
import { getAccount } from './accounts.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'

export interface ParameterProposal {
  readonly proposer: AccountId
  /** Grains. */
  readonly deposit: bigint
  /** The last block in which it can be voted on, at whose end it is tallied: the last of an epoch. */
  readonly endHeight: number
  /** Grains bonded by who said yes until now. */
  readonly yes: bigint
  /** Grains bonded by who said no until now. */
  readonly no: bigint
  readonly changes: readonly ParameterChange[]
}

/** Bytes of a proposal's number in a key. */
const NUMBER_BYTES = 8
const OPEN_KEY: StateKey = stateKey(TABLE.openProposals)

export function proposalKey(number: number): StateKey {
  return stateKey(TABLE.proposal, keyNumber(number))
}

export function getProposal(state: ReadState, number: number): ParameterProposal | undefined {
  return getRecord(state, proposalKey(number), readProposal)
}

/** Opens a proposal, or changes one. Asserts that there is room for a new one. */
export function putProposal(state: WriteState, number: number, proposal: ParameterProposal): void {
  const open = openProposals(state)
  if (!open.includes(number)) putOpen(state, [...open, number].sort(byNumber))
  putRecord(state, proposalKey(number), (writer) => {
    writeCount(writeAccount(writer, proposal.proposer).u64(proposal.deposit), proposal.endHeight)
    writeChanges(writer.u64(proposal.yes).u64(proposal.no), proposal.changes)
  })
}

/** Numbers of the open proposals, rising; at most `CHAIN_LIMITS.openProposalsMax`. */
export function openProposals(state: ReadState): readonly number[] {
  return getRecord(state, OPEN_KEY, readNumbers) ?? []
}

/** The open ones, in the order of their numbers. */
export function* proposals(state: ReadState): Iterable<readonly [number, ParameterProposal]> {
  for (const number of openProposals(state)) {
    const proposal = getProposal(state, number)
    assert(proposal !== undefined, 'an open proposal has a record')
    yield [number, proposal]
  }
}

/** Numbers of all records of proposals; only a checker needs them beside the open ones. */
export function* proposalNumbers(state: ReadState): Iterable<number> {
  for (const [key] of state.entries(stateKey(TABLE.proposal))) yield numberInKey(key, 0)
}

export function readProposal(reader: Reader): ParameterProposal {
  return {
    proposer: readAccount(reader),
    deposit: reader.u64(),
    endHeight: readCount(reader),
    yes: reader.u64(),
    no: reader.u64(),
    changes: readChanges(reader),
  }
}

export interface ParameterVote {
  readonly voter: AccountId
  readonly yes: boolean
}

export function parameterVoteKey(proposal: number, voter: AccountId): StateKey {
  return stateKey(TABLE.parameterVote, keyNumber(proposal), voter)
}

/** Whether an account said yes to a proposal; undefined: it did not vote. */
export function getParameterVote(state: ReadState, proposal: number, voter: AccountId): boolean | undefined {
  return getRecord(state, parameterVoteKey(proposal, voter), readFlag)
}

/** Counts a vote on an open proposal, with all that the voter has bonded. A second one takes the place of the first. */
export function castVote(state: WriteState, proposal: number, { voter, yes }: ParameterVote): void {
  const { bonded } = getAccount(state, voter)
  const before = getParameterVote(state, proposal, voter)
  if (before !== undefined) addToSide(state, proposal, { yes: before, change: -bonded })
  addToSide(state, proposal, { yes, change: bonded })
  putRecord(state, parameterVoteKey(proposal, voter), (writer) => writer.u8(yes ? 1 : 0))
}

/** What a voter has bonded grew by `change` grains or, below 0, shrank: so did the sides that it is on. Only for money.ts. */
export function reweighVotes(state: WriteState, voter: AccountId, change: bigint): void {
  for (const proposal of openProposals(state)) {
    const yes = getParameterVote(state, proposal, voter)
    if (yes !== undefined) addToSide(state, proposal, { yes, change })
  }
}

function addToSide(
  state: WriteState,
  number: number,
  { yes, change }: { readonly yes: boolean; readonly change: bigint },
): void {
  const proposal = getProposal(state, number)
  assert(proposal !== undefined, 'votes are cast on open proposals')
  const side = yes ? 'yes' : 'no'
  const sum = proposal[side] + change
  assert(sum >= 0n, 'a side is the sum of what its voters have bonded')
  putProposal(state, number, { ...proposal, [side]: sum })
}

/** The votes on a proposal, in the order of their voters. */
export function* parameterVotes(state: ReadState, proposal: number): Iterable<ParameterVote> {
  for (const [key, yes] of records(state, stateKey(TABLE.parameterVote, keyNumber(proposal)), readFlag)) {
    yield { voter: accountInKey(key, NUMBER_BYTES), yes }
  }
}

/** The proposals that there are votes on, once per vote. */
export function* votedProposals(state: ReadState): Iterable<number> {
  for (const [key] of state.entries(stateKey(TABLE.parameterVote))) yield numberInKey(key, 0)
}

/** Forgets a proposal, whose deposit was moved; the votes on it go with the blocks that follow. */
export function removeProposal(state: WriteState, number: number): void {
  assert(getProposal(state, number)?.deposit === 0n, 'a proposal is removed without money in it')
  state.set(proposalKey(number), undefined)
  const open = openProposals(state).filter((other) => other !== number)
  putOpen(state, open)
}

/** Forgets votes on proposals that are closed, in their order up to the first open one, `limit` at most. */
export function forgetVotes(state: WriteState, limit: number): void {
  const open = new Set(openProposals(state))
  const keys: StateKey[] = []
  for (const [key] of state.entries(stateKey(TABLE.parameterVote))) {
    if (keys.length >= limit || open.has(numberInKey(key, 0))) break
    keys.push(key)
  }
  for (const key of keys) state.set(key, undefined)
}

function putOpen(state: WriteState, numbers: readonly number[]): void {
  assert(numbers.length <= CHAIN_LIMITS.openProposalsMax, 'a proposal is refused when too many are open')
  if (numbers.length === 0) state.set(OPEN_KEY, undefined)
  else putRecord(state, OPEN_KEY, (writer) => writer.list(numbers, (inner, number) => writeCount(inner, number)))
}

function readNumbers(reader: Reader): number[] {
  return reader.list(CHAIN_LIMITS.openProposalsMax, readCount)
}

function byNumber(one: number, other: number): number {
  return one - other
}

function readFlag(reader: Reader): boolean {
  return reader.flag()
}
