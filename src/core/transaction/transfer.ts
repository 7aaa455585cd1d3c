/**
 * Transfer: grains from the sender to an account, with a memo that anybody can read. Spec: docs/spec/transactions.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { move } from '../state/money.ts'
import type { Contract } from './contract.ts'
import { requireAmount, requireFunds } from './refusals.ts'

export interface Transfer {
  readonly to: AccountId
  /** Grains. */
  readonly amount: bigint
  /** At most 128 bytes, public, of no meaning to the chain. */
  readonly memo: Uint8Array
}

const BASE_UNITS = 10
const MEMO_BYTES_PER_UNIT = 16

export const transfer: Contract<Transfer> = {
  type: 1,
  name: 'transfer',
  read: (reader) => ({
    to: readAccount(reader),
    amount: reader.u64(),
    memo: reader.bytes(CHAIN_LIMITS.memoBytesMax),
  }),
  write(writer, { to, amount, memo }) {
    writeAccount(writer, to).u64(amount).bytes(memo)
  },
  units: ({ memo }) => BASE_UNITS + Math.floor(memo.length / MEMO_BYTES_PER_UNIT),
  inspect({ amount }) {
    requireAmount(amount)
  },
  validate(call) {
    requireFunds(call, call.body.amount)
  },
  apply({ sender, body: { to, amount } }, state) {
    move(state, { amount, from: { type: 'account', id: sender }, to: { type: 'account', id: to } })
  },
  describe: ({ to, amount, memo }) => ({ to, amount: String(amount), memo: bytesToHex(memo) }),
  touches: ({ to }) => [to],
}
