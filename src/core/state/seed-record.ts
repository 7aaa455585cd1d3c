/**
 * The seed of the next height: what draws its proposers and what its proposer signs. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { readHash, writeHash } from '../fields.ts'
import { type ReadState, stateKey, type WriteState } from './state.ts'
import { getRecord, putRecord, TABLE } from './tables.ts'

const KEY = stateKey(TABLE.seed)

export function getSeed(state: ReadState): Hash {
  const seed = getRecord(state, KEY, readHash)
  assert(seed !== undefined, 'the genesis state has a seed')
  return seed
}

export function putSeed(state: WriteState, seed: Hash): void {
  putRecord(state, KEY, (writer) => writeHash(writer, seed))
}
