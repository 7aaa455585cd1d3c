/**
 * Parts of a snapshot: all entries whose paths begin with the same bits, with a proof that there are no others. Each part
 * is verified by itself against the root on arrival; joined, verified parts give the tree. Does not know who sends
 * parts. Spec: docs/spec/state.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { STATE_LIMITS } from '../../base/chain-limits.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { descend, EMPTY_TREE, leavesOf, type StateEntry, type StateTree, treeRoot } from './tree.ts'
import {
  buildNode,
  EMPTY_NODE,
  HASH_BYTES,
  joinNodes,
  makeLeaf,
  nodeHash,
  type Placed,
  pathOfKey,
  splitAt,
  type TreeNode,
} from './tree-node.ts'
import { type Packed, pack, sharedBits, unpack } from './tree-packed.ts'
import {
  badShape,
  hashOfOtherLeaf,
  type OtherLeaf,
  otherLeafOf,
  ProofError,
  packSiblings,
  readOtherLeaf,
  readSiblings,
  rootAbove,
  writeOtherLeaf,
  writeSiblings,
} from './tree-proof.ts'

/** The paths that begin with the `depthBits` bits of `index`, highest first; depthBits 0, index 0 is the whole tree. */
export interface PartPosition {
  readonly depthBits: number
  readonly index: number
}

export interface StatePart extends PartPosition {
  /** In the order of their paths. */
  readonly entries: readonly StateEntry[]
  /** From the root down; fewer than `depthBits` when the part holds one entry or none and the tree ends above it. */
  readonly siblings: readonly Uint8Array[]
  /** When the part is empty because a leaf outside of it is alone in a subtree above: that leaf. */
  readonly other: OtherLeaf | undefined
}

/** A part whose proof holds; made by `verifyPart`, used by `joinParts`. */
export interface VerifiedPart {
  readonly position: PartPosition
  readonly node: TreeNode
}

/** Length fields of an entry. */
const ENTRY_OVERHEAD_BYTES = 8
/** Every entry takes this much, so no list is longer. */
const ENTRIES_MAX: number = Math.floor(STATE_LIMITS.partBytesMax / ENTRY_OVERHEAD_BYTES)

/** The entries below a prefix, with the proof against the root. */
export function treePart(tree: StateTree, depthBits: number, index: number): StatePart {
  const prefix = prefixPath({ depthBits, index })
  const { node, siblings } = descend(tree.node, prefix, depthBits)
  const hashes = siblings.map((sibling) => unpack(nodeHash(sibling)))
  const outside = node.type === 'leaf' ? otherLeafOf(node, tree) : undefined
  if (outside !== undefined && sharedBits(pack(outside.path), prefix) < depthBits) {
    return { depthBits, index, entries: [], siblings: hashes, other: outside }
  }
  const entries = [...leavesOf(node)].map((leaf) => ({ key: unpack(leaf.key), value: unpack(leaf.value) }))
  return { depthBits, index, entries, siblings: hashes, other: undefined }
}

/**
 * Positions that cover every entry of the tree, in order, none of them with more than `bytesMax` bytes of entries (keys,
 * values and 8 bytes each) unless it holds a single entry or lies at the greatest depth.
 */
export function planParts(tree: StateTree, bytesMax: number): PartPosition[] {
  return planNode(tree.node, { depthBits: 0, index: 0 }, bytesMax).positions
}

/**
 * Checks one part against the root: all of its entries, no others, in order.
 * @throws ProofError when it is not the part of that state at that position.
 */
export function verifyPart({ root, part }: { readonly root: Uint8Array; readonly part: StatePart }): VerifiedPart {
  const { depthBits, index, entries, siblings } = part
  if (!isPosition(part)) throw badShape('position')
  const depth = siblings.length
  const prefix = prefixPath(part)
  // A subtree that ends above the part has at most one leaf, and a leaf outside leaves none for the part.
  if (depth > depthBits || (depth < depthBits && entries.length > 1)) throw badShape('sibling count')
  if (part.other !== undefined && entries.length > 0) throw badShape('list of entries')
  const node = buildNode(placeEntries(entries, prefix, depthBits), depth)
  const hash =
    part.other === undefined ? nodeHash(node) : hashOfOtherLeaf(part.other, { path: prefix, depth, bits: depthBits })
  if (rootAbove(hash, prefix, packSiblings(siblings)) !== pack(root)) {
    throw new ProofError('PROOF_WRONG_ROOT', 'The part belongs to another state. Ask another node.', {
      details: { depthBits, index },
    })
  }
  return { position: { depthBits, index }, node }
}

/**
 * The tree of the verified parts, in any order; parts without entries may be left out.
 * @throws ProofError PARTS_OVERLAP, or PARTS_WRONG_ROOT when entries are missing.
 */
export function joinParts(claim: { readonly root: Uint8Array; readonly parts: readonly VerifiedPart[] }): StateTree {
  const placed = claim.parts
    .map(({ position, node }) => ({ path: prefixPath(position), depthBits: position.depthBits, node }))
    .sort((left, right) =>
      left.path < right.path ? -1 : left.path > right.path ? 1 : left.depthBits - right.depthBits,
    )
  const tree = { ...EMPTY_TREE, node: joinPlaced(placed, 0) }
  if (pack(treeRoot(tree)) !== pack(claim.root)) {
    throw new ProofError('PARTS_WRONG_ROOT', 'The parts do not make up the whole state. Ask for the missing ones.')
  }
  return tree
}

/** Spec §4.3. @throws ProofError PART_TOO_LARGE: plan smaller parts. */
export function encodePart({ depthBits, index, entries, siblings, other }: StatePart): Uint8Array {
  const writer = new Writer().u8(depthBits).u64(BigInt(index))
  writeSiblings(writer, siblings).u8(other === undefined ? 0 : 1)
  if (other !== undefined) writeOtherLeaf(writer, other)
  const bytes = writer.list(entries, (inner, entry) => inner.bytes(entry.key).bytes(entry.value)).finish()
  assertSize(bytes)
  return bytes
}

/**
 * The part in these bytes, as views of them; it is not verified.
 * @throws CodecError for lengths that do not fit, ProofError PROOF_BAD_SHAPE, PART_TOO_LARGE.
 */
export function decodePart(bytes: Uint8Array): StatePart {
  assertSize(bytes)
  const reader = new Reader(bytes)
  const position = { depthBits: reader.u8(), index: Number(reader.u64()) }
  if (!isPosition(position)) throw badShape('position')
  const siblings = readSiblings(reader, position.depthBits)
  const other = reader.flag() ? readOtherLeaf(reader) : undefined
  const entries = reader.list(ENTRIES_MAX, (inner) => ({
    key: inner.bytes(STATE_LIMITS.keyBytesMax),
    value: inner.bytes(STATE_LIMITS.valueBytesMax),
  }))
  reader.finish()
  return { ...position, entries, siblings, other }
}

function assertSize(bytes: Uint8Array): void {
  if (bytes.length <= STATE_LIMITS.partBytesMax) return
  throw new ProofError('PART_TOO_LARGE', 'The part is over its size limit. Ask for smaller parts.', {
    details: { bytes: bytes.length },
  })
}

function isPosition({ depthBits, index }: PartPosition): boolean {
  if (!Number.isSafeInteger(depthBits) || depthBits < 0 || depthBits > STATE_LIMITS.partDepthBitsMax) return false
  return Number.isSafeInteger(index) && index >= 0 && index < 2 ** depthBits
}

/** The first path of the part: its bits, then zeros. */
function prefixPath({ depthBits, index }: PartPosition): Packed {
  assert(isPosition({ depthBits, index }), 'a part has an index of its depth in bits')
  const path = new Uint8Array(HASH_BYTES)
  for (let depth = 0; depth < depthBits; depth++) {
    const bit = Math.floor(index / 2 ** (depthBits - 1 - depth)) % 2
    path[depth >> 3]! |= bit << (7 - (depth & 7))
  }
  return pack(path)
}

function placeEntries(entries: readonly StateEntry[], prefix: Packed, depthBits: number): Placed[] {
  let last: Packed | undefined
  return entries.map(({ key, value }, index) => {
    if (key.length > STATE_LIMITS.keyBytesMax || value.length > STATE_LIMITS.valueBytesMax) throw badEntry(index)
    const path = pack(pathOfKey(key))
    if (sharedBits(path, prefix) < depthBits || (last !== undefined && path <= last)) throw badEntry(index)
    last = path
    return { path, leaf: makeLeaf(path, key, value) }
  })
}

function badEntry(index: number): ProofError {
  return new ProofError('PART_BAD_ENTRY', 'The part has an entry out of its place. Ask another node.', {
    details: { index },
  })
}

interface PlacedPart {
  readonly path: Packed
  readonly depthBits: number
  readonly node: TreeNode
}

function joinPlaced(parts: readonly PlacedPart[], depth: number): TreeNode {
  const first = parts[0]
  if (first === undefined) return EMPTY_NODE
  if (first.depthBits === depth) {
    if (parts.length === 1) return first.node
    throw new ProofError('PARTS_OVERLAP', 'Two parts of the snapshot hold the same keys. Ask another node.')
  }
  const middle = splitAt(parts, depth, 0, parts.length)
  return joinNodes(joinPlaced(parts.slice(0, middle), depth + 1), joinPlaced(parts.slice(middle), depth + 1))
}

interface Plan {
  readonly bytes: number
  readonly positions: PartPosition[]
}

function planNode(node: TreeNode, position: PartPosition, bytesMax: number): Plan {
  if (node.type === 'empty') return { bytes: 0, positions: [] }
  if (node.type === 'leaf') {
    return { bytes: ENTRY_OVERHEAD_BYTES + node.key.length + node.value.length, positions: [position] }
  }
  const depthBits = Math.min(position.depthBits + 1, STATE_LIMITS.partDepthBitsMax)
  const deepest = depthBits === position.depthBits
  const left = planNode(node.left, deepest ? position : { depthBits, index: position.index * 2 }, bytesMax)
  const right = planNode(node.right, deepest ? position : { depthBits, index: position.index * 2 + 1 }, bytesMax)
  const bytes = left.bytes + right.bytes
  if (deepest || bytes <= bytesMax) return { bytes, positions: [position] }
  return { bytes, positions: [...left.positions, ...right.positions] }
}
