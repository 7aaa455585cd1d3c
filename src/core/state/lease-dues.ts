/**
 * The table of leases that wait for a height: for their expiry while they are open, for their audits and their settlement when they are
 * closing. Spec: docs/spec/market.md §2, §5.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import { HASH_BYTES } from '../fields.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { hexInKey, numberInKey, TABLE } from './tables.ts'

export interface LeaseDue {
  readonly height: number
  readonly lease: Hash
}

const LEASE_AT = 8

export function leaseDueKey({ height, lease }: LeaseDue): StateKey {
  return stateKey(TABLE.leaseDue, keyNumber(height), lease)
}

export function addLeaseDue(state: WriteState, due: LeaseDue): void {
  state.set(leaseDueKey(due), Uint8Array.of(0))
}

export function removeLeaseDue(state: WriteState, due: LeaseDue): void {
  state.set(leaseDueKey(due), undefined)
}

/** In the order of their heights. Do not write while iterating. */
export function* leaseDues(state: ReadState): Iterable<LeaseDue> {
  for (const [key] of state.entries(stateKey(TABLE.leaseDue))) {
    yield { height: numberInKey(key, 0), lease: hash(hexInKey(key, LEASE_AT, HASH_BYTES)) }
  }
}
