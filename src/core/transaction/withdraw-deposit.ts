/**
 * Withdraw-deposit: grains of a miner's deposit that stand behind no lot return to it; with the last of them it leaves the market.
 * Spec: docs/spec/transactions.md §12.
 * @module
 */
import { getMiner, putMiner } from '../state/miners.ts'
import { move } from '../state/money.ts'
import { placementsOf, putPlacement } from '../state/placements.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireAmount, requireMiner } from './refusals.ts'

export interface WithdrawDeposit {
  /** Grains. */
  readonly amount: bigint
}

export const withdrawDeposit: Contract<WithdrawDeposit> = {
  type: 11,
  name: 'withdraw-deposit',
  read: (reader) => ({ amount: reader.u64() }),
  write(writer, { amount }) {
    writer.u64(amount)
  },
  units: () => 20,
  inspect({ amount }) {
    requireAmount(amount)
  },
  validate({ sender, body: { amount } }, state, { parameters: { minerDepositMin } }) {
    const { deposit, locked } = requireMiner(state, sender)
    if (amount > deposit - locked) {
      const sentence = `Of the deposit of ${dllm(deposit)}, ${dllm(locked)} stand behind open lots. Withdraw at most ${dllm(deposit - locked)}, or wait until leases are settled.`
      throw new TransactionError('DEPOSIT_LOCKED', sentence)
    }
    const rest = deposit - amount
    if (rest > 0n && rest < minerDepositMin) {
      const sentence = `${dllm(rest)} would stay, less than the ${dllm(minerDepositMin)} that a miner has at least. Withdraw all of ${dllm(deposit)}, or less.`
      throw new TransactionError('DEPOSIT_TOO_SMALL', sentence)
    }
  },
  apply({ sender, body: { amount } }, state) {
    move(state, { amount, from: { type: 'collateral', operator: sender }, to: { type: 'account', id: sender } })
    const miner = getMiner(state, sender)!
    if (miner.deposit > 0n) return
    for (const [model, placement] of [...placementsOf(state, sender)]) {
      putPlacement(state, { model, operator: sender }, { ...placement, slots: 0 })
    }
    // Who was slashed out stays so: neither the account nor its peer serves again.
    if (miner.status === 'active') putMiner(state, sender, { ...miner, status: 'draining' })
  },
  describe: ({ amount }) => ({ amount: String(amount) }),
  touches: () => [],
}
