/**
 * Proofs that a key has a value, or none, in a state of which only the root is known. A proof holds the siblings along the
 * key's path and what stands at its end. Each true statement has one proof and each proof one encoding. Does not know
 * where the root comes from. Spec: docs/spec/state.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { STATE_LIMITS } from '../../base/chain-limits.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import { descend, type StateTree } from './tree.ts'
import {
  EMPTY_NODE,
  HASH_BYTES,
  hashOfInner,
  hashOfLeaf,
  hashOfValue,
  type LeafNode,
  nodeHash,
  pathOfKey,
} from './tree-node.ts'
import { bitOf, type Packed, pack, sharedBits, unpack } from './tree-packed.ts'

/**
 * - `PROOF_BAD_SHAPE`: a length, a count or a kind that no proof has;
 * - `PROOF_OTHER_LEAF`: the leaf shown does not stand where the key or part would;
 * - `PROOF_WRONG_ROOT`: the hashes lead to another root;
 * - `PART_BAD_ENTRY`: an entry of a part too long, out of order or outside of the part;
 * - `PART_TOO_LARGE`: an encoded part over its limit;
 * - `PARTS_OVERLAP`: two parts of one snapshot hold the same keys;
 * - `PARTS_WRONG_ROOT`: parts are missing, or some belong to another state.
 */
export class ProofError extends HouseError<
  | 'PROOF_BAD_SHAPE'
  | 'PROOF_OTHER_LEAF'
  | 'PROOF_WRONG_ROOT'
  | 'PART_BAD_ENTRY'
  | 'PART_TOO_LARGE'
  | 'PARTS_OVERLAP'
  | 'PARTS_WRONG_ROOT'
> {}

/** A leaf of another key, 32 bytes each: enough for its hash. */
export interface OtherLeaf {
  readonly path: Uint8Array
  readonly valueHash: Uint8Array
}

/** What stands at the end of the key's path: its value, nothing, or the one leaf of a subtree without the key. */
export type ProofEnd =
  | { readonly type: 'value'; readonly value: Uint8Array }
  | { readonly type: 'empty' }
  | ({ readonly type: 'other' } & OtherLeaf)

export interface StateProof {
  /** Hashes of 32 bytes from the root down: `siblings[i]` is at depth i + 1. */
  readonly siblings: readonly Uint8Array[]
  readonly end: ProofEnd
}

export interface ProofToVerify {
  readonly root: Uint8Array
  readonly key: Uint8Array
  readonly proof: StateProof
}

const END_EMPTY = 0
const END_VALUE = 1
const END_OTHER = 2

/** Proves the value of a key, or that it has none. */
export function proveKey(tree: StateTree, key: Uint8Array): StateProof {
  const { node, siblings } = descend(tree.node, pack(tree.pathOf(key)), STATE_LIMITS.siblingsMax)
  assert(node.type !== 'inner', 'a path of 256 bits ends at a leaf or an empty subtree')
  const hashes = siblings.map((sibling) => unpack(nodeHash(sibling)))
  if (node.type === 'empty') return { siblings: hashes, end: { type: 'empty' } }
  if (node.key === pack(key)) return { siblings: hashes, end: { type: 'value', value: unpack(node.value) } }
  return { siblings: hashes, end: { type: 'other', ...otherLeafOf(node, tree) } }
}

/**
 * The value that the key has in the state with this root, or undefined when the proof shows that it has none.
 * @throws ProofError when the proof does not show either.
 */
export function verifyProof({ root, key, proof }: ProofToVerify): Uint8Array | undefined {
  return verifyPath({ root, path: pathOfKey(key), proof })
}

/** As `verifyProof`, for a path of 32 bytes instead of a key. */
export function verifyPath(claim: {
  readonly root: Uint8Array
  readonly path: Uint8Array
  readonly proof: StateProof
}): Uint8Array | undefined {
  const { siblings, end } = claim.proof
  const path = pack(claim.path)
  const rootHash = rootAbove(hashOfEnd(end, path, siblings.length), path, packSiblings(siblings))
  if (rootHash !== pack(claim.root)) {
    throw new ProofError('PROOF_WRONG_ROOT', 'The proof belongs to another state, key or value. Ask another node.')
  }
  return end.type === 'value' ? end.value : undefined
}

/** Spec §3.3. */
export function encodeProof({ siblings, end }: StateProof): Uint8Array {
  const writer = new Writer()
  writeSiblings(writer, siblings)
  switch (end.type) {
    case 'empty':
      return writer.u8(END_EMPTY).finish()
    case 'value':
      return writer.u8(END_VALUE).bytes(end.value).finish()
    case 'other':
      return writeOtherLeaf(writer.u8(END_OTHER), end).finish()
  }
}

/**
 * The proof in these bytes, as views of them; it is not verified.
 * @throws CodecError for lengths that do not fit, ProofError PROOF_BAD_SHAPE for what no proof has.
 */
export function decodeProof(bytes: Uint8Array): StateProof {
  const reader = new Reader(bytes)
  const siblings = readSiblings(reader, STATE_LIMITS.siblingsMax)
  const end = readEnd(reader)
  reader.finish()
  return { siblings, end }
}

/** A leaf as it is shown to those who do not ask for its key. */
export function otherLeafOf(leaf: LeafNode, tree: StateTree): OtherLeaf {
  return { path: tree.pathOf(unpack(leaf.key)), valueHash: unpack(hashOfValue(unpack(leaf.value))) }
}

/**
 * Hash of a leaf said to stand at `depth` on `path`, although it is not under the first `bits` bits of that path.
 * @throws ProofError PROOF_BAD_SHAPE, PROOF_OTHER_LEAF
 */
export function hashOfOtherLeaf(other: OtherLeaf, place: { path: Packed; depth: number; bits: number }): Packed {
  if (other.path.length !== HASH_BYTES || other.valueHash.length !== HASH_BYTES) throw badShape('other leaf')
  const leafPath = pack(other.path)
  const shared = sharedBits(leafPath, place.path)
  if (shared < place.depth || shared >= place.bits) {
    throw new ProofError('PROOF_OTHER_LEAF', 'The proof shows a leaf that does not stand in for what was asked.', {
      details: { shared, depth: place.depth },
    })
  }
  return hashOfLeaf(leafPath, pack(other.valueHash))
}

/** The root above a node on `path`, from its siblings between them, the root's children first. */
export function rootAbove(hash: Packed, path: Packed, siblings: readonly Packed[]): Packed {
  return siblings.reduceRight(
    (below, sibling, depth) => (bitOf(path, depth) === 1 ? hashOfInner(sibling, below) : hashOfInner(below, sibling)),
    hash,
  )
}

/** @throws ProofError PROOF_BAD_SHAPE when there are more than a path has bits, or one is no hash. */
export function packSiblings(siblings: readonly Uint8Array[]): Packed[] {
  if (siblings.length > STATE_LIMITS.siblingsMax) throw badShape('sibling count')
  return siblings.map((sibling) => {
    if (sibling.length !== HASH_BYTES) throw badShape('sibling length')
    return pack(sibling)
  })
}

export function writeSiblings(writer: Writer, siblings: readonly Uint8Array[]): Writer {
  assert(siblings.length <= STATE_LIMITS.siblingsMax, 'a path has at most 256 siblings')
  writer.u16(siblings.length)
  for (const sibling of siblings) writeHash(writer, sibling)
  return writer
}

/** Views of the reader's bytes. @throws ProofError PROOF_BAD_SHAPE over `countMax`, CodecError */
export function readSiblings(reader: Reader, countMax: number): Uint8Array[] {
  const count = reader.u16()
  if (count > countMax) throw badShape('sibling count')
  return Array.from({ length: count }, () => reader.raw(HASH_BYTES))
}

export function writeOtherLeaf(writer: Writer, { path, valueHash }: OtherLeaf): Writer {
  return writeHash(writeHash(writer, path), valueHash)
}

export function readOtherLeaf(reader: Reader): OtherLeaf {
  return { path: reader.raw(HASH_BYTES), valueHash: reader.raw(HASH_BYTES) }
}

export function badShape(what: string): ProofError {
  return new ProofError('PROOF_BAD_SHAPE', `The proof has a wrong ${what}. Ask another node.`, { details: { what } })
}

function writeHash(writer: Writer, hash: Uint8Array): Writer {
  assert(hash.length === HASH_BYTES, 'a hash has 32 bytes')
  return writer.raw(hash)
}

function readEnd(reader: Reader): ProofEnd {
  const kind = reader.u8()
  if (kind === END_EMPTY) return { type: 'empty' }
  if (kind === END_VALUE) return { type: 'value', value: reader.bytes(STATE_LIMITS.valueBytesMax) }
  if (kind === END_OTHER) return { type: 'other', ...readOtherLeaf(reader) }
  throw badShape('kind of end')
}

function hashOfEnd(end: ProofEnd, path: Packed, depth: number): Packed {
  switch (end.type) {
    case 'empty':
      return nodeHash(EMPTY_NODE)
    case 'value':
      return hashOfLeaf(path, hashOfValue(end.value))
    case 'other':
      return hashOfOtherLeaf(end, { path, depth, bits: STATE_LIMITS.siblingsMax })
  }
}
