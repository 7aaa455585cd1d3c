/**
 * The Merkle tree of a block's transactions and the proof that one is among them. The tree is that of RFC 9162 §2.1 with
 * tagged hashes, over transaction ids. A proof says that the transaction is in the block; of its place it says nothing sure, since
 * the root does not hold the number of leaves. Spec: docs/spec/chain.md §4.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { hashOf, readHash, writeHash, ZERO_HASH } from '../fields.ts'
import { taggedHasher } from '../hash.ts'

/** How leaves and pairs are hashed; the chain uses `TAGGED_HASHING`, tests the plain hashing of RFC 9162. */
export interface MerkleHashing {
  leaf(data: Uint8Array): Uint8Array
  inner(left: Uint8Array, right: Uint8Array): Uint8Array
}

/** The hashes beside the way from a leaf to the root, lowest first. */
export interface InclusionProof {
  readonly index: number
  /** Number of transactions in the block. */
  readonly count: number
  readonly siblings: readonly Hash[]
}

export const TAGGED_HASHING: MerkleHashing = {
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

/** RFC 9162 §2.1.1 over at least one leaf. */
export function merkleRoot(leaves: readonly Uint8Array[], hashing: MerkleHashing): Uint8Array {
  assert(leaves.length > 0, 'a tree has a leaf')
  const [only] = leaves
  if (leaves.length === 1 && only !== undefined) return hashing.leaf(only)
  const middle = splitOf(leaves.length)
  return hashing.inner(merkleRoot(leaves.slice(0, middle), hashing), merkleRoot(leaves.slice(middle), hashing))
}

/** RFC 9162 §2.1.3.1: the siblings of leaf `index`, lowest first. */
export function merklePath(leaves: readonly Uint8Array[], index: number, hashing: MerkleHashing): Uint8Array[] {
  if (leaves.length === 1) return []
  const middle = splitOf(leaves.length)
  const left = leaves.slice(0, middle)
  const right = leaves.slice(middle)
  return index < middle
    ? [...merklePath(left, index, hashing), merkleRoot(right, hashing)]
    : [...merklePath(right, index - middle, hashing), merkleRoot(left, hashing)]
}

/** RFC 9162 §2.1.3.2: the root that the siblings lead to, or undefined when their number does not fit. */
export function rootFromPath(
  leaf: Uint8Array,
  path: { readonly index: number; readonly count: number; readonly siblings: readonly Uint8Array[] },
  hashing: MerkleHashing,
): Uint8Array | undefined {
  if (path.index >= path.count) return undefined
  let { index } = path
  let last = path.count - 1
  let node = hashing.leaf(leaf)
  for (const sibling of path.siblings) {
    if (last === 0) return undefined
    if (index % 2 === 1 || index === last) {
      node = hashing.inner(sibling, node)
      // A right-most node without a sibling stands in for its parents until it is a right child.
      while (index % 2 === 0 && index !== 0) {
        index = Math.floor(index / 2)
        last = Math.floor(last / 2)
      }
    } else {
      node = hashing.inner(node, sibling)
    }
    index = Math.floor(index / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? node : undefined
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

/** The largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}
