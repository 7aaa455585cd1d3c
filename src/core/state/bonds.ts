/**
 * The bond table: grains that an owner gave to a validator as stake. Amounts change only by money.ts, which keeps the sums of
 * the validator and of the owner. Spec: docs/spec/chain.md §2.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, putRecord, records, TABLE } from './tables.ts'

export interface BondId {
  readonly validator: AccountId
  readonly owner: AccountId
}

export interface Bond extends BondId {
  /** Grains. */
  readonly amount: bigint
}

export function bondKey({ validator, owner }: BondId): StateKey {
  return stateKey(TABLE.bond, validator, owner)
}

/** Grains; 0 when there is none. */
export function getBond(state: ReadState, id: BondId): bigint {
  return getRecord(state, bondKey(id), readAmount) ?? 0n
}

/** Only for money.ts. */
export function putBond(state: WriteState, id: BondId, amount: bigint): void {
  if (amount === 0n) state.set(bondKey(id), undefined)
  else putRecord(state, bondKey(id), (writer) => writer.u64(amount))
}

/** The bonds to one validator in the order of their owners, or all. */
export function* bonds(state: ReadState, validator?: AccountId): Iterable<Bond> {
  const prefix = validator === undefined ? stateKey(TABLE.bond) : stateKey(TABLE.bond, validator)
  for (const [key, amount] of records(state, prefix, readAmount)) yield { ...bondOfKey(key), amount }
}

export function bondOfKey(key: StateKey): BondId {
  return { validator: accountInKey(key, 0), owner: accountInKey(key, ADDRESS_HASH_BYTES) }
}

/** A record that is one u64 of grains. */
export function readAmount(reader: Reader): bigint {
  return reader.u64()
}
