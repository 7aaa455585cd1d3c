/**
 * What all proposals share, whatever they are about: how many can be open, what they deposit, and when their vote ends.
 * Spec: docs/spec/transactions.md §7.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { epochEndOf } from '../epoch.ts'
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

/** @throws TransactionError PROPOSALS_FULL, INSUFFICIENT_FUNDS. */
export function requireProposal(call: Call<unknown>, state: ReadState, { parameters }: ContractContext): void {
  const open = openProposals(state).length
  if (open >= CHAIN_LIMITS.openProposalsMax) {
    const sentence = `${open} proposals are open, as many as there can be. Propose again when a vote has ended: \`dllm param list\` shows when.`
    throw new TransactionError('PROPOSALS_FULL', sentence, { details: { open } })
  }
  requireFunds(call, parameters.proposalDeposit)
}

/** After `requireProposal`. */
export function openProposal(
  state: WriteState,
  { proposer, subject }: { readonly proposer: AccountId; readonly subject: ProposalSubject },
  context: ContractContext,
): void {
  const supply = getSupply(state)
  const number = supply.proposalsMade
  putSupply(state, { ...supply, proposalsMade: number + 1 })
  putProposal(state, number, { proposer, deposit: 0n, endHeight: voteEndOf(context), subject })
  move(state, {
    amount: context.parameters.proposalDeposit,
    from: { type: 'account', id: proposer },
    to: { type: 'deposit', proposal: number },
  })
}
