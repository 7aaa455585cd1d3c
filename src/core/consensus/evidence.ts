/**
 * Contradictions: two signed messages of one validator for the same place. Pure; signatures were verified before.
 * Spec: docs/spec/chain.md §6, docs/spec/consensus.md §4.
 * @module
 */
import type { Proposal, Vote } from './messages.ts'

/** Whether both cannot be by an honest voter. The voter of both is the same. */
export function votesConflict(first: Vote, second: Vote): boolean {
  return (
    first.type === second.type &&
    first.height === second.height &&
    first.round === second.round &&
    first.blockHash !== second.blockHash
  )
}

/** Whether both cannot be by an honest proposer. */
export function proposalsConflict(first: Proposal, second: Proposal): boolean {
  return first.height === second.height && first.round === second.round && !isSameProposal(first, second)
}

/** Whether they say the same; blocks are compared by hash. */
export function isSameProposal(first: Proposal, second: Proposal): boolean {
  return first.blockHash === second.blockHash && first.validRound === second.validRound
}
