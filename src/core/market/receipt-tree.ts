/**
 * The Merkle tree of a lot's receipts, whose root the claim names, and the proof that a receipt is in it. The tree of RFC 9162 §2.1
 * over receipt hashes. A proof says that the receipt is there, not where. Spec: docs/spec/market.md §9.3.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader } from '../../base/codec.ts'
import { type MerkleHashing, merklePath, merkleRoot, rootFromPath } from '../../base/merkle.ts'
import type { InclusionProof } from '../block/transactions-root.ts'
import { hashOf, readHash, ZERO_HASH } from '../fields.ts'
import { taggedHasher } from '../hash.ts'

const HASHING: MerkleHashing = {
  leaf: taggedHasher('dllm/receipts/leaf'),
  inner: taggedHasher('dllm/receipts/inner'),
}

/** The root over the hashes of a lot's receipts, in their order; zeros for none. */
export function receiptsRoot(hashes: readonly Hash[]): Hash {
  return hashes.length === 0 ? ZERO_HASH : hashOf(merkleRoot(hashes.map(hexToBytes), HASHING))
}

/** The same root, of a list that grows: what a receipt more costs does not grow with it. */
export interface GrowingReceipts {
  append(hash: Hash): void
  readonly root: Hash
}

export function createGrowingReceipts(): GrowingReceipts {
  /** Roots of complete subtrees, each of fewer leaves than the one before. */
  const peaks: { readonly leaves: number; readonly root: Uint8Array }[] = []
  return {
    append(hash) {
      let peak = { leaves: 1, root: HASHING.leaf(hexToBytes(hash)) }
      while (peaks.at(-1)?.leaves === peak.leaves) {
        peak = { leaves: 2 * peak.leaves, root: HASHING.inner(peaks.pop()!.root, peak.root) }
      }
      peaks.push(peak)
    },
    get root() {
      const last = peaks.at(-1)
      if (last === undefined) return ZERO_HASH
      return hashOf(peaks.slice(0, -1).reduceRight((right, { root }) => HASHING.inner(root, right), last.root))
    },
  }
}

/** That the receipt at `index` is among these. */
export function proveReceipt(hashes: readonly Hash[], index: number): InclusionProof {
  assert(index >= 0 && index < hashes.length, 'the receipt to be proven is in the tree')
  const siblings = merklePath(hashes.map(hexToBytes), index, HASHING)
  return { index, count: hashes.length, siblings: siblings.map(hashOf) }
}

/** Whether the proof shows that the receipt of this hash is under `root`. */
export function isReceiptIncluded(root: Hash, hash: Hash, { index, count, siblings }: InclusionProof): boolean {
  const found = rootFromPath(hexToBytes(hash), { index, count, siblings: siblings.map(hexToBytes) }, HASHING)
  return found !== undefined && hashOf(found) === root
}

/** @throws CodecError, also when the index is not below the count or the count above that of any lot. */
export function readReceiptProof(reader: Reader): InclusionProof {
  const index = reader.u32()
  const count = reader.u32()
  if (index >= count || count > MARKET_LIMITS.receiptsMax) {
    throw new CodecError('CODEC_BAD_VALUE', 'The proof speaks of a receipt that no lot can have.')
  }
  return { index, count, siblings: reader.list(MARKET_LIMITS.receiptSiblingsMax, readHash) }
}
