/**
 * Propose-parameters: asks everybody with bonds whether parameters shall change. The deposit comes back when enough of the
 * stake votes. Spec: docs/spec/transactions.md §7.
 * @module
 */
import {
  isVotable,
  type ParameterChange,
  parameterFault,
  parametersFault,
  readChanges,
  withChanges,
  writeChanges,
} from '../parameters.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { openProposal, requireProposal } from './open-proposal.ts'

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
  validate(call, state, context) {
    const { changes } = call.body
    const [fault] = changes.flatMap(({ name, value }) => parameterFault(name, value) ?? [])
    const together = fault ?? parametersFault(withChanges(context.parameters, changes))
    if (together !== undefined) throw new TransactionError('PARAMETER_OUT_OF_BOUNDS', `${together}.`)
    requireProposal(call, state, context)
  },
  apply({ sender, body: { changes } }, state, context) {
    openProposal(state, { proposer: sender, subject: { type: 'parameters', changes } }, context)
  },
  describe: ({ changes }) => ({ changes: changes.map(({ name, value }) => ({ name, value: String(value) })) }),
  touches: () => [],
}
