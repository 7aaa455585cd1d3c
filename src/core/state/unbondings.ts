/**
 * The unbonding table: grains that left a bond and come back at a height. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { readAmount } from './bonds.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'

export interface UnbondingId {
  /** The block at whose end it is paid. */
  readonly dueHeight: number
  readonly owner: AccountId
  readonly validator: AccountId
  readonly begunHeight: number
}

export interface Unbonding extends UnbondingId {
  /** Grains. */
  readonly amount: bigint
}

const OWNER_AT = 8
const VALIDATOR_AT = OWNER_AT + ADDRESS_HASH_BYTES
const BEGUN_AT = VALIDATOR_AT + ADDRESS_HASH_BYTES

export function unbondingKey({ dueHeight, owner, validator, begunHeight }: UnbondingId): StateKey {
  return stateKey(TABLE.unbonding, keyNumber(dueHeight), owner, validator, keyNumber(begunHeight))
}

/** Grains; 0 when there is none. */
export function getUnbonding(state: ReadState, id: UnbondingId): bigint {
  return getRecord(state, unbondingKey(id), readAmount) ?? 0n
}

/** Only for money.ts. */
export function putUnbonding(state: WriteState, id: UnbondingId, amount: bigint): void {
  if (amount === 0n) state.set(unbondingKey(id), undefined)
  else putRecord(state, unbondingKey(id), (writer) => writer.u64(amount))
}

/** Those that are due at the end of the block at `dueHeight`, or all in the order of their heights. */
export function* unbondings(state: ReadState, dueHeight?: number): Iterable<Unbonding> {
  const prefix = dueHeight === undefined ? stateKey(TABLE.unbonding) : stateKey(TABLE.unbonding, keyNumber(dueHeight))
  for (const [key, amount] of records(state, prefix, readAmount)) yield { ...unbondingOfKey(key), amount }
}

export function unbondingOfKey(key: StateKey): UnbondingId {
  return {
    dueHeight: numberInKey(key, 0),
    owner: accountInKey(key, OWNER_AT),
    validator: accountInKey(key, VALIDATOR_AT),
    begunHeight: numberInKey(key, BEGUN_AT),
  }
}
