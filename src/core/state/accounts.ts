/**
 * The account table: who has how many grains, how often it signed, and how much of it is bonded. Spec: docs/spec/chain.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { type AccountId, accountId } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { taggedHash } from '../hash.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, putRecord, records, TABLE } from './tables.ts'

export interface Account {
  /** Grains that it can spend. */
  readonly balance: bigint
  /** Transactions that it sent. */
  readonly nonce: bigint
  /** Grains, the sum of its bonds to all validators: its weight in parameter votes. */
  readonly bonded: bigint
}

const EMPTY: Account = { balance: 0n, nonce: 0n, bonded: 0n }

/** The community's account: nobody has its key. */
export const TREASURY: AccountId = accountId(bytesToHex(taggedHash('dllm/treasury').subarray(0, ADDRESS_HASH_BYTES)))

export function accountKey(id: AccountId): StateKey {
  return stateKey(TABLE.account, id)
}

/** An account that never received anything is empty. */
export function getAccount(state: ReadState, id: AccountId): Account {
  return getRecord(state, accountKey(id), readAccount) ?? EMPTY
}

export function putAccount(state: WriteState, id: AccountId, account: Account): void {
  const { balance, nonce, bonded } = account
  if (balance === 0n && nonce === 0n && bonded === 0n) state.set(accountKey(id), undefined)
  else putRecord(state, accountKey(id), (writer) => writer.u64(balance).u64(nonce).u64(bonded))
}

/** All accounts in the order of their ids; only a store that indexes this table has them. */
export function* accounts(state: ReadState): Iterable<readonly [AccountId, Account]> {
  for (const [key, account] of records(state, stateKey(TABLE.account), readAccount)) {
    yield [accountInKey(key, 0), account]
  }
}

export function readAccount(reader: Reader): Account {
  return { balance: reader.u64(), nonce: reader.u64(), bonded: reader.u64() }
}
