/**
 * Vote-parameters: yes or no to an open proposal, with the sum of the sender's bonds at its end. A later vote takes the place of
 * an earlier one. Spec: docs/spec/transactions.md §8.
 * @module
 */
import { readCount, writeCount } from '../fields.ts'
import { getAccount } from '../state/accounts.ts'
import { castVote, getProposal } from '../state/proposals.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'

export interface VoteParameters {
  /** Number of the proposal. */
  readonly proposal: number
  readonly yes: boolean
}

export const voteParameters: Contract<VoteParameters> = {
  type: 7,
  name: 'vote-parameters',
  read: (reader) => ({ proposal: readCount(reader), yes: reader.flag() }),
  write(writer, { proposal, yes }) {
    writeCount(writer, proposal).u8(yes ? 1 : 0)
  },
  units: () => 15,
  validate({ sender, body }, state, { height }) {
    const proposal = getProposal(state, body.proposal)
    if (proposal === undefined) {
      const sentence = 'No proposal with this number is open. `dllm param list` shows the open ones.'
      throw new TransactionError('NO_SUCH_PROPOSAL', sentence, { details: { proposal: body.proposal } })
    }
    if (height > proposal.endHeight) {
      throw new TransactionError('VOTE_ENDED', `The vote on this proposal ended with block ${proposal.endHeight}.`)
    }
    if (getAccount(state, sender).bonded === 0n) {
      const sentence = 'Only bonded grains have a voice, and this account has none bonded. Bond some first.'
      throw new TransactionError('NOTHING_BONDED', sentence)
    }
  },
  apply({ sender, body }, state) {
    castVote(state, sender, body)
  },
  describe: ({ proposal, yes }) => ({ proposal, yes }),
  touches: () => [],
}
