/**
 * The root over a block's transactions and the proof that one is among them. The tree is that of RFC 9162 §2.1 (base/merkle.ts) with
 * tagged hashes, over transaction ids. A proof says that the transaction is in the block; of its place it says nothing sure, since
 * the root does not hold the number of leaves. Spec: docs/spec/chain.md §4.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { type MerkleHashing, merklePath, merkleRoot, rootFromPath } from '../../base/merkle.ts'
import { hashOf, readHash, writeHash, ZERO_HASH } from '../fields.ts'
import { taggedHasher } from '../hash.ts'

/** The hashes beside the way from a leaf to the root, lowest first. */
export interface InclusionProof {
  readonly index: number
  /** Number of transactions in the block. */
  readonly count: number
  readonly siblings: readonly Hash[]
}

const TAGGED_HASHING: MerkleHashing = {
  leaf: taggedHasher('dllm/transactions/leaf'),
  inner: taggedHasher('dllm/transactions/inner'),
}

/** Levels above the leaves of a tree of `blockTransactionsMax`. */
const SIBLINGS_MAX = 13

/** The root over the ids of a block's transactions, in their order; zeros for none. */
export function transactionsRoot(ids: readonly Hash[]): Hash {
  return ids.length === 0 ? ZERO_HASH : hashOf(merkleRoot(ids.map(hexToBytes), TAGGED_HASHING))
}

/** That the transaction at `index` is among these. */
export function proveTransaction(ids: readonly Hash[], index: number): InclusionProof {
  assert(index >= 0 && index < ids.length, 'the transaction to be proven is in the block')
  const siblings = merklePath(ids.map(hexToBytes), index, TAGGED_HASHING)
  return { index, count: ids.length, siblings: siblings.map(hashOf) }
}

/** Whether the proof shows that the transaction of this id is under `root`. */
export function isIncluded(root: Hash, id: Hash, proof: InclusionProof): boolean {
  const siblings = proof.siblings.map((sibling) => hexToBytes(sibling))
  const computed = rootFromPath(hexToBytes(id), { ...proof, siblings }, TAGGED_HASHING)
  return computed !== undefined && bytesToHex(computed) === root
}

export function writeInclusionProof(writer: Writer, { index, count, siblings }: InclusionProof): Writer {
  return writer.u32(index).u32(count).list(siblings, writeHash)
}

/** @throws CodecError, also when the index is not below the count or the count above any block's. */
export function readInclusionProof(reader: Reader): InclusionProof {
  const index = reader.u32()
  const count = reader.u32()
  if (index >= count || count > CHAIN_LIMITS.blockTransactionsMax) {
    throw new CodecError('CODEC_BAD_VALUE', 'The proof speaks of a transaction that no block can have.')
  }
  return { index, count, siblings: reader.list(SIBLINGS_MAX, readHash) }
}
