/**
 * Nodes of the state tree: their shapes, their hashes, and how a subtree is made of leaves or of two halves. A node never
 * changes once made, save that an inner node computes its hash when first asked. Does not know keys' meaning or proofs.
 * Spec: docs/spec/state.md §2.
 * @module
 */
import { taggedHasher, taggedHasherInto } from '../hash.ts'
import { bitOf, type Packed, pack, unpackInto } from './tree-packed.ts'

export const HASH_BYTES = 32
export const PATH_BITS = 256

export interface EmptyNode {
  readonly type: 'empty'
}

/** A subtree with exactly one leaf, at whatever depth. */
export interface LeafNode {
  readonly type: 'leaf'
  readonly key: Packed
  readonly value: Packed
  readonly hash: Packed
}

/** A subtree with two leaves or more. */
export interface InnerNode {
  readonly type: 'inner'
  readonly left: TreeNode
  readonly right: TreeNode
  /** Computed when first asked: a batch of changes hashes each node once. */
  hash: Packed | undefined
}

export type TreeNode = EmptyNode | LeafNode | InnerNode

/** A leaf to be, or the word that the path has none. */
export interface Placed {
  readonly path: Packed
  readonly leaf: LeafNode | undefined
}

const hashEmpty = taggedHasher('dllm/state/empty')
const hashPath = taggedHasher('dllm/state/path')
const hashValue = taggedHasherInto('dllm/state/value')
const hashLeaf = taggedHasherInto('dllm/state/leaf')
const hashInner = taggedHasherInto('dllm/state/inner')

export const EMPTY_NODE: EmptyNode = { type: 'empty' }
let emptyHashPacked: Packed | undefined
/** Both halves of an inner node or of a leaf, joined to be hashed; filled anew for every hash, as is `digest`. */
const halves = new Uint8Array(2 * HASH_BYTES)
const digest = new Uint8Array(HASH_BYTES)

/** Where a key stands: 256 bits of a digest, so that nobody chooses the shape of the tree (spec §1). */
export function pathOfKey(key: Uint8Array): Uint8Array {
  return hashPath(key)
}

export function hashOfValue(value: Uint8Array): Packed {
  hashValue(digest, value)
  return pack(digest)
}

/** Hash of a leaf, from its path and the hash of its value. */
export function hashOfLeaf(path: Packed, valueHash: Packed): Packed {
  fillHalves(path, valueHash)
  hashLeaf(digest, halves)
  return pack(digest)
}

/** Hash of an inner node, from the hashes of its halves. */
export function hashOfInner(left: Packed, right: Packed): Packed {
  fillHalves(left, right)
  hashInner(digest, halves)
  return pack(digest)
}

/** The node's hash, packed; computes what was not asked before. Recursion is as deep as the tree, at most 256. */
export function nodeHash(node: TreeNode): Packed {
  switch (node.type) {
    case 'empty':
      emptyHashPacked ??= pack(hashEmpty())
      return emptyHashPacked
    case 'leaf':
      return node.hash
    case 'inner':
      node.hash ??= hashOfInner(nodeHash(node.left), nodeHash(node.right))
      return node.hash
  }
}

export function makeLeaf(path: Packed, key: Uint8Array, value: Uint8Array): LeafNode {
  return { type: 'leaf', key: pack(key), value: pack(value), hash: hashOfLeaf(path, hashOfValue(value)) }
}

/** The subtree with these halves: what holds no leaf is empty, what holds one is that leaf (spec §2). */
export function joinNodes(left: TreeNode, right: TreeNode): TreeNode {
  if (left.type === 'empty' && right.type !== 'inner') return right
  if (right.type === 'empty' && left.type !== 'inner') return left
  return { type: 'inner', left, right, hash: undefined }
}

/** The subtree at `depth` with these leaves, strictly ascending by path and alike in the first `depth` bits. */
export function buildNode(leaves: readonly Placed[], depth: number, start = 0, end: number = leaves.length): TreeNode {
  if (end - start === 0) return EMPTY_NODE
  if (end - start === 1) return leaves[start]!.leaf ?? EMPTY_NODE
  const middle = splitAt(leaves, depth, start, end)
  return joinNodes(buildNode(leaves, depth + 1, start, middle), buildNode(leaves, depth + 1, middle, end))
}

/** First index in [start, end) whose path has a 1 at `depth`, or `end`; paths ascend and agree before `depth`. */
export function splitAt(items: readonly { path: Packed }[], depth: number, start: number, end: number): number {
  let low = start
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bitOf(items[middle]!.path, depth) === 1) high = middle
    else low = middle + 1
  }
  return low
}

function fillHalves(left: Packed, right: Packed): void {
  unpackInto(left, halves, 0)
  unpackInto(right, halves, HASH_BYTES)
}
