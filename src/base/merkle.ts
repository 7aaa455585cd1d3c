/**
 * The Merkle tree of RFC 9162 §2.1 over any hashing: roots, paths, and what a path leads to. Blocks use it over transactions, models over
 * the chunks of files. Knows no hash function.
 * @module
 */
import { assert } from './assert.ts'

/** How leaves and pairs are hashed. */
export interface MerkleHashing {
  leaf(data: Uint8Array): Uint8Array
  inner(left: Uint8Array, right: Uint8Array): Uint8Array
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

/** The largest power of two below `count`, which is at least 2. */
function splitOf(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}
