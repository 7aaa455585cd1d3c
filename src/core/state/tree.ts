/**
 * The authenticated state: a map from byte keys to byte values with one 32-byte root. A compact sparse Merkle tree whose
 * shape depends on the set of keys alone, not on the order of changes. Trees never change: an update gives a new tree
 * which shares what it did not touch, so several candidate blocks stand side by side and are dropped at will. Does not
 * know what keys and values mean. Spec: docs/spec/state.md; why: docs/adr/0009-state-tree.md.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { STATE_LIMITS } from '../../base/chain-limits.ts'
import { finish, type Steps } from '../../base/steps.ts'
import {
  buildNode,
  EMPTY_NODE,
  joinNodes,
  type LeafNode,
  makeLeaf,
  nodeHash,
  type Placed,
  pathOfKey,
  splitAt,
  type TreeNode,
} from './tree-node.ts'
import { bitOf, type Packed, pack, unpack } from './tree-packed.ts'

/** Read it with the functions of this folder; its fields are theirs. */
export interface StateTree {
  readonly node: TreeNode
  readonly pathOf: (key: Uint8Array) => Uint8Array
}

export interface StateEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** `value: undefined` removes the key, present or not. */
export interface StateChange {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

export const EMPTY_TREE: StateTree = emptyTree(pathOfKey)

/** An empty tree with another way from keys to paths; the chain uses `EMPTY_TREE`, tests of deep trees choose paths. */
export function emptyTree(pathOf: StateTree['pathOf']): StateTree {
  return { node: EMPTY_NODE, pathOf }
}

/**
 * The tree after the changes; of several changes of one key the last counts. The given tree stays as it was. Keys have at most
 * `STATE_LIMITS.keyBytesMax` bytes, values `valueBytesMax`: longer ones are a bug of the caller. Bytes are copied.
 */
export function updateTree(tree: StateTree, changes: Iterable<StateChange>): StateTree {
  return finish(updateTreeInSteps(tree, changes, Number.POSITIVE_INFINITY))
}

/** The same, at most `keys` keys per step; what it touched is hashed on the way, so that `treeRoot` has little left to do. */
export function* updateTreeInSteps(
  tree: StateTree,
  changes: Iterable<StateChange>,
  keys: number = KEYS_PER_STEP,
): Steps<StateTree> {
  const placed = yield* placeChanges(changes, tree.pathOf, keys)
  const batch = { placed, pathOf: tree.pathOf }
  const node = yield* updateNodeInSteps(tree.node, batch, { depth: 0, start: 0, end: placed.length, keys })
  return node === tree.node ? tree : { node, pathOf: tree.pathOf }
}

/** Hashes of a key, its value and its leaf, and of a dozen nodes above: about a millisecond. */
const KEYS_PER_STEP = 32

/** The root hash, 32 bytes, spec §2. The first call after an update hashes what the update touched. */
export function treeRoot(tree: StateTree): Uint8Array {
  return unpack(nodeHash(tree.node))
}

/** The value of a key, in memory of its own, or undefined when the key is absent. */
export function treeValue(tree: StateTree, key: Uint8Array): Uint8Array | undefined {
  const { node } = descend(tree.node, pack(tree.pathOf(key)), STATE_LIMITS.siblingsMax)
  return node.type === 'leaf' && node.key === pack(key) ? unpack(node.value) : undefined
}

/** All keys and values in the order of their paths. */
export function* treeEntries(tree: StateTree): Generator<StateEntry, void, undefined> {
  for (const leaf of leavesOf(tree.node)) yield { key: unpack(leaf.key), value: unpack(leaf.value) }
}

/** Leaves below a node, in the order of their paths. */
export function* leavesOf(node: TreeNode): Generator<LeafNode, void, undefined> {
  if (node.type === 'leaf') yield node
  if (node.type !== 'inner') return
  yield* leavesOf(node.left)
  yield* leavesOf(node.right)
}

/** Follows a path down to a leaf, an empty subtree or `depthMax`. Siblings from the root down: `siblings[i]` is at depth i + 1. */
export function descend(
  root: TreeNode,
  path: Packed,
  depthMax: number,
): { readonly node: TreeNode; readonly siblings: TreeNode[] } {
  const siblings: TreeNode[] = []
  let node = root
  while (node.type === 'inner' && siblings.length < depthMax) {
    const right = bitOf(path, siblings.length) === 1
    siblings.push(right ? node.left : node.right)
    node = right ? node.right : node.left
  }
  return { node, siblings }
}

interface Batch {
  readonly placed: readonly Placed[]
  readonly pathOf: StateTree['pathOf']
}

/** The part [start, end) of a batch whose paths lead to a node at `depth`. */
interface Range {
  readonly depth: number
  readonly start: number
  readonly end: number
}

function* placeChanges(
  changes: Iterable<StateChange>,
  pathOf: StateTree['pathOf'],
  keys: number,
): Steps<readonly Placed[]> {
  const byPath = new Map<Packed, Placed>()
  let count = 0
  for (const { key, value } of changes) {
    assert(key.length <= STATE_LIMITS.keyBytesMax, 'a state key is within its limit')
    assert(value === undefined || value.length <= STATE_LIMITS.valueBytesMax, 'a state value is within its limit')
    const path = pack(pathOf(key))
    byPath.set(path, { path, leaf: value === undefined ? undefined : makeLeaf(path, key, value) })
    if (++count % keys === 0) yield
  }
  return [...byPath.values()].sort((left, right) => (left.path < right.path ? -1 : 1))
}

/** Down to parts of at most `keys` changes, each of which is one step; above them the same as `updateNode`. */
function* updateNodeInSteps(node: TreeNode, batch: Batch, range: Range & { readonly keys: number }): Steps<TreeNode> {
  const { depth, start, end, keys } = range
  if (end - start <= keys) {
    const updated = updateNode(node, batch, range)
    if (Number.isFinite(keys)) nodeHash(updated)
    if (start < end) yield
    return updated
  }
  const middle = splitAt(batch.placed, depth, start, end)
  const halves = halvesOf(node, batch, depth)
  const left = yield* updateNodeInSteps(halves.left, batch, { depth: depth + 1, start, end: middle, keys })
  const right = yield* updateNodeInSteps(halves.right, batch, { depth: depth + 1, start: middle, end, keys })
  const isSame = node.type === 'inner' && left === node.left && right === node.right
  return isSame ? node : joinNodes(left, right)
}

/** What stands in the two halves of a subtree at `depth`. */
function halvesOf(node: TreeNode, { pathOf }: Batch, depth: number): { left: TreeNode; right: TreeNode } {
  if (node.type === 'inner') return node
  if (node.type === 'empty') return { left: node, right: node }
  const isRight = bitOf(pack(pathOf(unpack(node.key))), depth) === 1
  return isRight ? { left: EMPTY_NODE, right: node } : { left: node, right: EMPTY_NODE }
}

function updateNode(node: TreeNode, batch: Batch, range: Range): TreeNode {
  if (range.start === range.end) return node
  if (node.type !== 'inner') return replaceNode(node, batch, range)
  const { depth, start, end } = range
  const middle = splitAt(batch.placed, depth, start, end)
  const left = updateNode(node.left, batch, { depth: depth + 1, start, end: middle })
  const right = updateNode(node.right, batch, { depth: depth + 1, start: middle, end })
  return left === node.left && right === node.right ? node : joinNodes(left, right)
}

/** Changes that meet an empty subtree or a leaf: the new leaves, and the old one unless a change names its path. */
function replaceNode(node: Exclude<TreeNode, { type: 'inner' }>, batch: Batch, { depth, start, end }: Range): TreeNode {
  const present = batch.placed.slice(start, end)
  if (node.type === 'leaf') {
    const path = pack(batch.pathOf(unpack(node.key)))
    const at = present.findIndex((change) => change.path >= path)
    const same = present[at]
    if (same?.path !== path) present.splice(at === -1 ? present.length : at, 0, { path, leaf: node })
    // The same value again: keep the old leaf, so that nothing above it is hashed anew.
    else if (same.leaf?.hash === node.hash) present[at] = { path, leaf: node }
  }
  const leaves = present.filter((change) => change.leaf !== undefined)
  return buildNode(leaves, depth)
}
