/**
 * What a state says, as views for commands and JSON. Reads a whole state: a full node's. Knows no blocks.
 * Spec: docs/spec/control.md §10.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { takenBy } from '../../core/market/model-life.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { PARAMETER_NAMES, type ParameterName, type Parameters } from '../../core/parameters.ts'
import { getAccount } from '../../core/state/accounts.ts'
import { bonds } from '../../core/state/bonds.ts'
import { getModel } from '../../core/state/models.ts'
import { getParameters } from '../../core/state/parameters-record.ts'
import {
  openProposals,
  type Proposal,
  type ProposalSubject,
  parameterVotes,
  proposals,
  type Tally,
} from '../../core/state/proposals.ts'
import { slashOf } from '../../core/state/slash.ts'
import type { ReadState } from '../../core/state/state.ts'
import { getSupply, type Supply } from '../../core/state/supply.ts'
import { unbondings } from '../../core/state/unbondings.ts'
import { getValidator, type Validator, validators } from '../../core/state/validators.ts'
import { proposalDepositOf } from '../../core/transaction/open-proposal.ts'
import type { AccountView, ParametersView, ProposalView, SupplyView, ValidatorView } from './chain-access.ts'

/** A state, and what is needed to show it. */
export interface ViewedState {
  readonly state: ReadState
  readonly kind: NetworkKind
  readonly height: number
  /** Who votes now. */
  readonly voters: ReadonlySet<AccountId>
}

export function viewAccount({ state, kind, height, voters }: ViewedState, id: AccountId): Omit<AccountView, 'source'> {
  const { balance, nonce } = getAccount(state, id)
  const own = [...bonds(state)].filter(({ owner }) => owner === id)
  const leaving = [...unbondings(state)].filter(({ owner }) => owner === id)
  const validator = getValidator(state, id)
  return {
    height,
    address: addressOfAccount(id, kind),
    balance: String(balance),
    nonce: String(nonce),
    bonds: own.map((bond) => ({
      validator: addressOfAccount(bond.validator, kind),
      validatorName: getValidator(state, bond.validator)?.name ?? '',
      amount: String(bond.amount),
    })),
    unbondings: leaving.map((unbonding) => ({
      validator: addressOfAccount(unbonding.validator, kind),
      amount: String(unbonding.amount - slashOf(state, unbonding)),
      dueHeight: unbonding.dueHeight,
    })),
    ...(validator === undefined ? {} : { validator: viewValidator(id, validator, { kind, voters }) }),
  }
}

/** Largest stake first. */
export function viewValidators({ state, kind, voters }: ViewedState): ValidatorView[] {
  const all = [...validators(state)].sort(([, a], [, b]) => (a.stake < b.stake ? 1 : a.stake > b.stake ? -1 : 0))
  return all.map(([id, validator]) => viewValidator(id, validator, { kind, voters }))
}

export function viewValidator(
  id: AccountId,
  { name, consensusKey, stake, status, signedBlocks }: Validator,
  { kind, voters }: { readonly kind: NetworkKind; readonly voters: ReadonlySet<AccountId> },
): ValidatorView {
  return {
    address: addressOfAccount(id, kind),
    name,
    consensusKey: bytesToHex(consensusKey),
    stake: String(stake),
    status,
    votes: voters.has(id),
    signedBlocks,
  }
}

export function viewParameters({ state, kind }: Pick<ViewedState, 'state' | 'kind'>): ParametersView {
  return {
    ...viewProvableParameters(state),
    proposals: [...proposals(state)].map((proposal) => viewProposal({ state, kind }, proposal)),
  }
}

/** Without what hangs on lists. */
export function viewProvableParameters(state: ReadState): ParametersView {
  const parameters = getParameters(state)
  const deposit = proposalDepositOf(openProposals(state).length, parameters)
  return { values: viewParameterValues(parameters), nextProposalDeposit: String(deposit) }
}

export function viewParameterValues(parameters: Parameters): Readonly<Record<ParameterName, string>> {
  const entries = PARAMETER_NAMES.map((name) => [name, String(parameters[name])] as const)
  return Object.fromEntries(entries) as Record<ParameterName, string>
}

function viewProposal(
  { state, kind }: Pick<ViewedState, 'state' | 'kind'>,
  { number, proposer, deposit, endHeight, yes: yesStake, no: noStake, subject }: Proposal & Tally,
): ProposalView {
  const votes = [...parameterVotes(state)].flatMap(([voter, own]) =>
    own.filter(({ proposal }) => proposal === number).map(({ yes }) => ({ voter: addressOfAccount(voter, kind), yes })),
  )
  return {
    number,
    proposer: addressOfAccount(proposer, kind),
    deposit: String(deposit),
    endHeight,
    ...viewSubject(state, subject),
    votes,
    yesStake: String(yesStake),
    noStake: String(noStake),
    totalStake: String(getSupply(state).bonded),
  }
}

function viewSubject(state: ReadState, subject: ProposalSubject): Pick<ProposalView, 'kind' | 'changes' | 'model'> {
  if (subject.type === 'parameters') {
    return {
      kind: 'parameters',
      changes: Object.fromEntries(subject.changes.map(({ name, value }) => [name, String(value)])),
    }
  }
  const { model, registeredHeight, activationHeight } = subject
  const record = getModel(state, model)
  const meant = { model, activationHeight }
  if (record?.registeredHeight !== registeredHeight) return { kind: 'model', changes: {}, model: meant }
  const { name, status } = record
  const takes = takenBy(state, record).model
  return {
    ...{ kind: 'model', changes: {} },
    model: { ...meant, name, status, ...(takes === undefined ? {} : { takes }) },
  }
}

export function viewSupply(state: ReadState): SupplyView {
  return viewSupplyRecord(getSupply(state))
}

export function viewSupplyRecord({ genesis, issued, burnt, pool }: Supply): SupplyView {
  return {
    genesis: String(genesis),
    issued: String(issued),
    burnt: String(burnt),
    total: String(genesis + issued - burnt),
    rewardPool: String(pool),
  }
}
