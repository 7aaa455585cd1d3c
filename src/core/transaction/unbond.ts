/**
 * Unbond: stake leaves a validator at once and comes back after the unbonding time; until then a double sign can still burn a
 * part of it. Spec: docs/spec/transactions.md §4.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { getBond } from '../state/bonds.ts'
import { getEvidence } from '../state/evidence-record.ts'
import { move } from '../state/money.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireAmount } from './refusals.ts'

export interface Unbond {
  readonly validator: AccountId
  /** Grains. */
  readonly amount: bigint
}

export const unbond: Contract<Unbond> = {
  type: 3,
  name: 'unbond',
  read: (reader) => ({ validator: readAccount(reader), amount: reader.u64() }),
  write(writer, { validator, amount }) {
    writeAccount(writer, validator).u64(amount)
  },
  units: () => 20,
  inspect({ amount }) {
    requireAmount(amount)
  },
  validate({ sender, body: { validator, amount } }, state, { height, parameters }) {
    const before = getBond(state, { validator, owner: sender })
    if (before === 0n) {
      const sentence = 'This account has no bond to this validator. `dllm stake list` shows the bonds there are.'
      throw new TransactionError('NO_SUCH_BOND', sentence)
    }
    if (amount > before) {
      const sentence = `The bond holds ${dllm(before)}, less than ${dllm(amount)}. Unbond at most what it holds.`
      throw new TransactionError('UNBOND_TOO_MUCH', sentence)
    }
    // What leaves in the block of a punishment is slashed when it is paid; this bond was slashed already.
    if (getEvidence(state, validator)?.punishedHeight === height) {
      const sentence = 'This validator is being punished in this block. Unbond in the next one.'
      throw new TransactionError('JUST_PUNISHED', sentence)
    }
    const rest = before - amount
    if (rest > 0n && rest < parameters.bondMin) {
      const sentence = `${dllm(rest)} would stay, less than the smallest bond of ${dllm(parameters.bondMin)}. Unbond all of ${dllm(before)}, or less.`
      throw new TransactionError('BOND_TOO_SMALL', sentence)
    }
  },
  apply({ sender, body: { validator, amount } }, state, { height, parameters }) {
    const dueHeight = height + Number(parameters.unbondingBlocks)
    move(state, {
      amount,
      from: { type: 'bond', validator, owner: sender },
      to: { type: 'unbonding', dueHeight, owner: sender, validator, begunHeight: height },
    })
  },
  describe: ({ validator, amount }) => ({ validator, amount: String(amount) }),
  touches: ({ validator }) => [validator],
}
