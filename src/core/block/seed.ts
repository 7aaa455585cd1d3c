/**
 * The seed chain: each proposer signs the seed before it with BLS, which has one valid signature only, so that a seed can be
 * withheld but not chosen. Knows the strings, not BLS. Spec: docs/spec/chain.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { hashOf, writeCount } from '../fields.ts'
import { taggedHash } from '../hash.ts'

/** The 32 bytes that the proposer of a height signs with its seed key. `seed`: of that height. */
export function seedInput(networkId: Hash, height: number, seed: Hash): Uint8Array {
  const number = writeCount(new Writer(8), height).finish()
  return taggedHash('dllm/seed-input', hexToBytes(networkId), number, hexToBytes(seed))
}

/** The seed of the next height. `signature`: 96 bytes over `seedInput`. */
export function nextSeed(seed: Hash, signature: Uint8Array): Hash {
  return hashOf(taggedHash('dllm/seed', hexToBytes(seed), signature))
}
