/**
 * What must hold of every state, checked over the whole of it: for tests, simulations and the audit of a node's store. Needs a
 * store that indexes all tables. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import { isVotable } from '../parameters.ts'
import { accounts, getAccount } from './accounts.ts'
import { type Bond, bonds } from './bonds.ts'
import { consensusKeyOwners, ownerOfConsensusKey } from './consensus-keys.ts'
import { punishedValidators } from './evidence-record.ts'
import { marketFaults, marketGrains } from './market-invariants.ts'
import { SUPPLY_MAX } from './money.ts'
import { getParameters } from './parameters-record.ts'
import { openProposals, type ProposalSubject, parameterVotes, proposalNumbers, proposals } from './proposals.ts'
import type { ReadState, StateKey } from './state.ts'
import { getSupply } from './supply.ts'
import { isKnownTable } from './tables.ts'
import { unbondings } from './unbondings.ts'
import { validatorSets } from './validator-sets.ts'
import { getValidator, ranking, type Validator, validators } from './validators.ts'

/** Everything that is wrong, one line each; empty when the state is sound. @throws CodecError for records that cannot be read. */
export function stateFaults(state: ReadState): string[] {
  return [
    ...tableFaults(state),
    ...supplyFaults(state),
    ...bondFaults(state),
    ...validatorFaults(state),
    ...rankingFaults(state),
    ...setFaults(state),
    ...proposalFaults(state),
    ...marketFaults(state),
  ]
}

function* tableFaults(state: ReadState): Iterable<string> {
  const everything = '' as StateKey
  for (const [key] of state.entries(everything)) if (!isKnownTable(key)) yield `key ${key} belongs to no table`
}

function* supplyFaults(state: ReadState): Iterable<string> {
  const { genesis, issued, burnt, pool, bonded } = getSupply(state)
  let held = pool + marketGrains(state)
  for (const [, { balance }] of accounts(state)) held += balance
  for (const { amount } of bonds(state)) held += amount
  for (const { amount } of unbondings(state)) held += amount
  for (const { deposit } of proposals(state)) held += deposit
  const made = genesis + issued - burnt
  if (held !== made) yield `${held} grains are held and ${made} were made and not burnt`
  const inBonds = sumOf([...bonds(state)])
  if (bonded !== inBonds) yield `${bonded} grains are counted as bonded and bonds hold ${inBonds}`
  if (genesis + issued > SUPPLY_MAX) yield 'more grains were made than there can be'
}

/** Sums of bonds: of each validator with their number, and of each owner. */
function* bondFaults(state: ReadState): Iterable<string> {
  const all = [...bonds(state)]
  const byValidator = Map.groupBy(all, ({ validator }) => validator)
  const byOwner = Map.groupBy(all, ({ owner }) => owner)
  for (const { validator, owner, amount } of all) {
    if (amount === 0n) yield `the bond of ${owner} to ${validator} is empty and not absent`
  }
  for (const id of byValidator.keys())
    if (getValidator(state, id) === undefined) yield `${id} has bonds and is no validator`
  for (const [id, { stake, bonds: number }] of validators(state)) {
    const own = byValidator.get(id) ?? []
    if (own.length !== number) yield `validator ${id} counts ${number} bonds and has ${own.length}`
    if (sumOf(own) !== stake) yield `validator ${id} has a stake of ${stake} and bonds of ${sumOf(own)}`
  }
  const bonded = new Map([...accounts(state)].map(([id, account]) => [id, account.bonded]))
  for (const id of new Set([...bonded.keys(), ...byOwner.keys()])) {
    const [found, expected] = [bonded.get(id) ?? 0n, sumOf(byOwner.get(id) ?? [])]
    if (found !== expected) yield `account ${id} counts ${found} bonded grains and has ${expected}`
  }
  for (const { owner, amount, dueHeight, begunHeight } of unbondings(state)) {
    if (amount === 0n) yield `an unbonding of ${owner} is empty and not absent`
    if (dueHeight <= begunHeight) yield `an unbonding of ${owner} was due before it began`
  }
}

/** Keys belong to one validator each, and who was punished is tombstoned. */
function* validatorFaults(state: ReadState): Iterable<string> {
  const punished = new Set(punishedValidators(state))
  for (const [id, { consensusKey, status }] of validators(state)) {
    if (ownerOfConsensusKey(state, consensusKey) !== id) yield `the consensus key of ${id} belongs to another`
    if (punished.has(id) !== (status === 'tombstoned')) yield `validator ${id} is ${status}, against the evidence`
    punished.delete(id)
  }
  for (const id of punished) yield `${id} was punished and is no validator`
  for (const owner of consensusKeyOwners(state)) {
    if (getValidator(state, owner) === undefined) yield `${owner} has a consensus key and is no validator`
  }
}

/** The ranking is that of the table. */
function* rankingFaults(state: ReadState): Iterable<string> {
  const able = [...validators(state)].filter(([, { status, stake }]) => status === 'active' && stake > 0n)
  // The sort is stable and the table is in the order of ids: equal stakes stay so.
  able.sort(([, a], [, b]) => (a.stake === b.stake ? 0 : a.stake > b.stake ? -1 : 1))
  if ([...ranking(state)].join() !== able.map(([id]) => id).join()) yield 'the ranking is not that of the stakes'
}

function* setFaults(state: ReadState): Iterable<string> {
  let sets = 0
  for (const [epoch, members] of validatorSets(state)) {
    sets++
    if (members.length === 0) yield `the set of epoch ${epoch} is empty`
    for (const [index, { id, stake, consensusKey }] of members.entries()) {
      const before = members[index - 1]
      if (before !== undefined && before.id >= id) yield `the set of epoch ${epoch} is not in the order of ids`
      if (stake === 0n) yield `a member of the set of epoch ${epoch} has no stake`
      if (!isKeyOf(getValidator(state, id), consensusKey)) yield `the set of epoch ${epoch} has a stranger, ${id}`
    }
  }
  if (sets === 0) yield 'there is no validator set'
}

function* proposalFaults(state: ReadState): Iterable<string> {
  const { proposalsMade } = getSupply(state)
  const open = new Set(openProposals(state).map(({ number }) => number))
  for (const number of proposalNumbers(state))
    if (!open.has(number)) yield `proposal ${number} is not among the open ones`
  const parameters = getParameters(state)
  for (const { number, subject, endHeight, yes, no } of proposals(state)) {
    const sides = sidesOf(state, number)
    if (sides.yes !== yes || sides.no !== no)
      yield `the sides of proposal ${number} are not what its voters have bonded`
    if (number >= proposalsMade) yield `proposal ${number} has a number that was not given yet`
    if (endHeight % Number(parameters.epochBlocks) !== 0) yield `proposal ${number} does not end with an epoch`
    yield* subjectFaults(number, endHeight, subject)
  }
  for (const [voter, votes] of parameterVotes(state)) {
    if (votes.length === 0) yield `the votes of ${voter} are empty and not absent`
    const early = votes.find(({ proposal }) => proposal >= proposalsMade)
    if (early !== undefined) yield `there are votes on proposal ${early.proposal}, which was not made yet`
  }
}

function* subjectFaults(number: number, endHeight: number, subject: ProposalSubject): Iterable<string> {
  if (subject.type === 'model') {
    if (subject.activationHeight <= endHeight) yield `proposal ${number} activates a model before its vote ends`
    return
  }
  // Changes were valid with the parameters of their time: what votes changed since may not go with them any more.
  const { changes } = subject
  if (changes.some(({ name }) => !isVotable(name))) yield `proposal ${number} changes a fixed parameter`
  if (changes.length === 0) yield `proposal ${number} changes nothing`
}

/** What its voters have bonded, counted anew. */
function sidesOf(state: ReadState, number: number): { readonly yes: bigint; readonly no: bigint } {
  const sides = { yes: 0n, no: 0n }
  for (const [voter, votes] of parameterVotes(state)) {
    const vote = votes.find(({ proposal }) => proposal === number)
    if (vote !== undefined) sides[vote.yes ? 'yes' : 'no'] += getAccount(state, voter).bonded
  }
  return sides
}

function isKeyOf(validator: Validator | undefined, key: Uint8Array): boolean {
  return validator?.consensusKey.every((byte, index) => byte === key[index]) ?? false
}

function sumOf(list: readonly Bond[]): bigint {
  return list.reduce((sum, { amount }) => sum + amount, 0n)
}
