/**
 * The base fee of the next block, grains per unit. Spec: docs/spec/chain.md §2, §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { readAmount } from './bonds.ts'
import { type ReadState, stateKey, type WriteState } from './state.ts'
import { getRecord, putRecord, TABLE } from './tables.ts'

const KEY = stateKey(TABLE.baseFee)
const BASE_FEE_MAX = 2n ** 64n - 1n

/** Grains per unit. */
export function getBaseFee(state: ReadState): bigint {
  const baseFee = getRecord(state, KEY, readAmount)
  assert(baseFee !== undefined, 'the genesis state has a base fee')
  return baseFee
}

/** Nobody can pay a base fee near its bound, so it cannot rise there. */
export function putBaseFee(state: WriteState, baseFee: bigint): void {
  assert(baseFee > 0n && baseFee <= BASE_FEE_MAX, 'a base fee is a positive u64')
  putRecord(state, KEY, (writer) => writer.u64(baseFee))
}
