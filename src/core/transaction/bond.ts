/**
 * Bond: grains of the sender become stake of a validator. Spec: docs/spec/transactions.md §3.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { getBond } from '../state/bonds.ts'
import { move } from '../state/money.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireAmount, requireFunds, requireValidator } from './refusals.ts'

export interface BondCall {
  readonly validator: AccountId
  /** Grains. */
  readonly amount: bigint
}

export const bond: Contract<BondCall> = {
  type: 2,
  name: 'bond',
  read: (reader) => ({ validator: readAccount(reader), amount: reader.u64() }),
  write(writer, { validator, amount }) {
    writeAccount(writer, validator).u64(amount)
  },
  units: () => 15,
  inspect({ amount }) {
    requireAmount(amount)
  },
  validate(call, state, { parameters }) {
    const { sender, body } = call
    const validator = requireValidator(state, body.validator)
    if (validator.status === 'tombstoned') {
      throw new TransactionError(
        'VALIDATOR_TOMBSTONED',
        'This validator signed twice and never votes again. Bond to another.',
      )
    }
    const before = getBond(state, { validator: body.validator, owner: sender })
    if (before + body.amount < parameters.bondMin) {
      const sentence = `The smallest bond is ${dllm(parameters.bondMin)}. Bond at least ${dllm(parameters.bondMin - before)}.`
      throw new TransactionError('BOND_TOO_SMALL', sentence)
    }
    // The owner always finds a place: others could otherwise shut a validator out of its own stake.
    const isNew = before === 0n && sender !== body.validator
    if (isNew && BigInt(validator.bonds) >= parameters.bondsPerValidatorMax) {
      const sentence = `This validator has ${validator.bonds} bonds, as many as it can have. Bond to another.`
      throw new TransactionError('BONDS_FULL', sentence)
    }
    requireFunds(call, body.amount)
  },
  apply({ sender, body: { validator, amount } }, state) {
    move(state, { amount, from: { type: 'account', id: sender }, to: { type: 'bond', validator, owner: sender } })
  },
  describe: ({ validator, amount }) => ({ validator, amount: String(amount) }),
  touches: ({ validator }) => [validator],
}
