/**
 * Parameter proposals that can be voted on, and the votes on them. The deposit changes only by money.ts.
 * Spec: docs/spec/chain.md §2, §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { readAccount, readCount, writeAccount, writeCount } from '../fields.ts'
import { type ParameterChange, readChanges, writeChanges } from '../parameters.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'

export interface ParameterProposal {
  readonly proposer: AccountId
  /** Grains. */
  readonly deposit: bigint
  /** The last block in which it can be voted on, at whose end it is tallied: the last of an epoch. */
  readonly endHeight: number
  readonly changes: readonly ParameterChange[]
}

/** Bytes of a proposal's number in a key. */
const NUMBER_BYTES = 8

export function proposalKey(number: number): StateKey {
  return stateKey(TABLE.proposal, keyNumber(number))
}

export function getProposal(state: ReadState, number: number): ParameterProposal | undefined {
  return getRecord(state, proposalKey(number), readProposal)
}

export function putProposal(state: WriteState, number: number, proposal: ParameterProposal): void {
  putRecord(state, proposalKey(number), (writer) => {
    writeCount(writeAccount(writer, proposal.proposer).u64(proposal.deposit), proposal.endHeight)
    writeChanges(writer, proposal.changes)
  })
}

/** The open ones, in the order of their numbers. */
export function* proposals(state: ReadState): Iterable<readonly [number, ParameterProposal]> {
  for (const [key, proposal] of records(state, stateKey(TABLE.proposal), readProposal)) {
    yield [numberInKey(key, 0), proposal]
  }
}

export function readProposal(reader: Reader): ParameterProposal {
  return {
    proposer: readAccount(reader),
    deposit: reader.u64(),
    endHeight: readCount(reader),
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

/** A second vote of the same account takes the place of the first. */
export function putParameterVote(state: WriteState, proposal: number, { voter, yes }: ParameterVote): void {
  putRecord(state, parameterVoteKey(proposal, voter), (writer) => writer.u8(yes ? 1 : 0))
}

/** The votes on a proposal, in the order of their voters. */
export function* parameterVotes(state: ReadState, proposal: number): Iterable<ParameterVote> {
  for (const [key, yes] of records(state, stateKey(TABLE.parameterVote, keyNumber(proposal)), readFlag)) {
    yield { voter: accountInKey(key, NUMBER_BYTES), yes }
  }
}

/** The proposals that there are votes on, once per vote. */
export function* parameterVoteProposals(state: ReadState): Iterable<number> {
  for (const [key] of state.entries(stateKey(TABLE.parameterVote))) yield numberInKey(key, 0)
}

/** Forgets a proposal, whose deposit was moved, and the votes on it. */
export function removeProposal(state: WriteState, number: number): void {
  assert(getProposal(state, number)?.deposit === 0n, 'a proposal is removed without money in it')
  const voters = [...parameterVotes(state, number)].map(({ voter }) => voter)
  for (const voter of voters) state.set(parameterVoteKey(number, voter), undefined)
  state.set(proposalKey(number), undefined)
}

function readFlag(reader: Reader): boolean {
  return reader.flag()
}
