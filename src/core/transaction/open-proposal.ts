/**
 * What all proposals share, whatever they are about: how many can be open, what they deposit, and when their vote ends.
 * Spec: docs/spec/transactions.md §7.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { epochEndOf } from '../epoch.ts'
import type { Parameters } from '../parameters.ts'
import { move } from '../state/money.ts'
import { openProposals, type ProposalSubject, putProposal } from '../state/proposals.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { getSupply, putSupply } from '../state/supply.ts'
import type { Call, ContractContext } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireFunds } from './refusals.ts'

/** Of a proposal that is made in this block: the last of an epoch. */
export function voteEndOf({ height, parameters }: Pick<ContractContext, 'height' | 'parameters'>): number {
  return epochEndOf(height + Number(parameters.proposalBlocks), parameters)
}

/** Proposals for which the deposit is the same. */
const PROPOSALS_PER_DEPOSIT = 8

/**
 * Grains that one more proposal deposits when so many are open: twice as much for every eight, so that nobody keeps the votes of others out by proposing
 * for all places.
 */
export function proposalDepositOf(open: number, { proposalDeposit }: Pick<Parameters, 'proposalDeposit'>): bigint {
  return proposalDeposit << BigInt(Math.floor(open / PROPOSALS_PER_DEPOSIT))
}

/** @throws TransactionError PROPOSALS_FULL, INSUFFICIENT_FUNDS. */
export function requireProposal(call: Call<unknown>, state: ReadState, { parameters }: ContractContext): void {
  const open = openProposals(state).length
  if (open >= CHAIN_LIMITS.openProposalsMax) {
    const sentence = `${open} proposals are open, as many as there can be. Propose again when a vote has ended: \`dllm param list\` shows when.`
    throw new TransactionError('PROPOSALS_FULL', sentence, { details: { open } })
  }
  requireFunds(call, proposalDepositOf(open, parameters))
}

/** After `requireProposal`. */
export function openProposal(
  state: WriteState,
  { proposer, subject }: { readonly proposer: AccountId; readonly subject: ProposalSubject },
  context: ContractContext,
): void {
  const amount = proposalDepositOf(openProposals(state).length, context.parameters)
  const supply = getSupply(state)
  const number = supply.proposalsMade
  putSupply(state, { ...supply, proposalsMade: number + 1 })
  putProposal(state, number, { proposer, deposit: 0n, endHeight: voteEndOf(context), subject })
  move(state, {
    amount,
    from: { type: 'account', id: proposer },
    to: { type: 'deposit', proposal: number },
  })
}
