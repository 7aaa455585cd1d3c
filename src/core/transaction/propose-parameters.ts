/**
 * Propose-parameters: asks everybody with bonds whether parameters shall change. The deposit comes back when enough of the
 * stake votes. Spec: docs/spec/transactions.md §7.
 * @module
 */
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { epochEndOf } from '../epoch.ts'
import {
  isVotable,
  type ParameterChange,
  parameterFault,
  parametersFault,
  readChanges,
  withChanges,
  writeChanges,
} from '../parameters.ts'
import { move } from '../state/money.ts'
import { openProposals, putProposal } from '../state/proposals.ts'
import { getSupply, putSupply } from '../state/supply.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireFunds } from './refusals.ts'

export interface ProposeParameters {
  /** In the order of `PARAMETER_NAMES`, each once. */
  readonly changes: readonly ParameterChange[]
}

export const proposeParameters: Contract<ProposeParameters> = {
  type: 6,
  name: 'propose-parameters',
  read: (reader) => ({ changes: readChanges(reader) }),
  write(writer, { changes }) {
    writeChanges(writer, changes)
  },
  units: () => 100,
  inspect({ changes }) {
    if (changes.length === 0)
      throw new TransactionError('NO_CHANGES', 'The proposal changes nothing. Name a parameter.')
    const fixed = changes.find(({ name }) => !isVotable(name))
    if (fixed !== undefined) {
      throw new TransactionError('PARAMETER_FIXED', `${fixed.name} is fixed by the genesis file: no vote changes it.`)
    }
  },
  validate(call, state, { parameters }) {
    const { changes } = call.body
    const [fault] = changes.flatMap(({ name, value }) => parameterFault(name, value) ?? [])
    const together = fault ?? parametersFault(withChanges(parameters, changes))
    if (together !== undefined) throw new TransactionError('PARAMETER_OUT_OF_BOUNDS', `${together}.`)
    const open = openProposals(state).length
    if (open >= CHAIN_LIMITS.openProposalsMax) {
      const sentence = `${open} proposals are open, as many as there can be. Propose again when a vote has ended: \`dllm param list\` shows when.`
      throw new TransactionError('PROPOSALS_FULL', sentence, { details: { open } })
    }
    requireFunds(call, parameters.proposalDeposit)
  },
  apply({ sender, body: { changes } }, state, { height, parameters }) {
    const supply = getSupply(state)
    const number = supply.proposalsMade
    putSupply(state, { ...supply, proposalsMade: number + 1 })
    const endHeight = epochEndOf(height + Number(parameters.proposalBlocks), parameters)
    putProposal(state, number, { proposer: sender, deposit: 0n, endHeight, changes })
    move(state, {
      amount: parameters.proposalDeposit,
      from: { type: 'account', id: sender },
      to: { type: 'deposit', proposal: number },
    })
  },
  describe: ({ changes }) => ({ changes: changes.map(({ name, value }) => ({ name, value: String(value) })) }),
  touches: () => [],
}
