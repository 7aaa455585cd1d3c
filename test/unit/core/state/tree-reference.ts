/**
 * The state tree as docs/spec/state.md states it, by plain recursion over sorted lists and OpenSSL's SHA-256: slow, without
 * any code of src/core. Makes the vectors in test/vectors/state-tree.json and checks the tree.
 * @module
 */
import { createHash } from 'node:crypto'

export interface ReferenceEntry {
  key: Uint8Array
  value: Uint8Array
}

interface Leaf extends ReferenceEntry {
  path: Buffer
}

/** SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ parts…). */
export function tagged(tag: string, ...parts: Uint8Array[]): Buffer {
  const prefix = sha256(Buffer.from(tag))
  return sha256(prefix, prefix, ...parts)
}

export function referencePath(key: Uint8Array): Buffer {
  return tagged('dllm/state/path', key)
}

/** Root of the entries; of several entries of one key the last counts. */
export function referenceRoot(entries: readonly ReferenceEntry[], pathOf = referencePath): Buffer {
  return hashOf(sortedLeaves(entries, pathOf), 0)
}

/** Encoded proof of a key, spec §3.3. */
export function referenceProof(entries: readonly ReferenceEntry[], key: Uint8Array, pathOf = referencePath): Buffer {
  const path = pathOf(key)
  const { siblings, leaves } = walk(sortedLeaves(entries, pathOf), path, 256)
  const [leaf] = leaves
  return Buffer.concat([u16(siblings.length), ...siblings, endOf(leaf, path)])
}

/** Encoded part of a snapshot, spec §4.3. */
export function referencePart(entries: readonly ReferenceEntry[], depthBits: number, index: number): Buffer {
  const bits = depthBits === 0 ? '' : index.toString(2).padStart(depthBits, '0')
  const prefix = Buffer.from(
    bits
      .padEnd(256, '0')
      .match(/.{8}/g)!
      .map((byte) => Number.parseInt(byte, 2)),
  )
  const { siblings, leaves } = walk(sortedLeaves(entries, referencePath), prefix, depthBits)
  const inside = leaves.filter((leaf) => bitsOf(leaf.path).startsWith(bits))
  const other = leaves.length > inside.length ? leaves[0] : undefined
  const place = Buffer.alloc(9)
  place.writeUInt8(depthBits)
  place.writeBigUInt64LE(BigInt(index), 1)
  return Buffer.concat([
    place,
    u16(siblings.length),
    ...siblings,
    ...(other ? [Buffer.from([1]), other.path, tagged('dllm/state/value', other.value)] : [Buffer.from([0])]),
    u32(inside.length),
    ...inside.flatMap(({ key, value }) => [u32(key.length), key, u32(value.length), value]),
  ])
}

function endOf(leaf: Leaf | undefined, path: Buffer): Buffer {
  if (!leaf) return Buffer.from([0])
  if (leaf.path.equals(path)) return Buffer.concat([Buffer.from([1]), u32(leaf.value.length), leaf.value])
  return Buffer.concat([Buffer.from([2]), leaf.path, tagged('dllm/state/value', leaf.value)])
}

function hashOf(leaves: readonly Leaf[], depth: number): Buffer {
  const [leaf] = leaves
  if (!leaf) return tagged('dllm/state/empty')
  if (leaves.length === 1) return tagged('dllm/state/leaf', leaf.path, tagged('dllm/state/value', leaf.value))
  return tagged(
    'dllm/state/inner',
    hashOf(withBit(leaves, depth, '0'), depth + 1),
    hashOf(withBit(leaves, depth, '1'), depth + 1),
  )
}

/** Down the path while two leaves or more are below. */
function walk(leaves: Leaf[], path: Buffer, depthMax: number): { siblings: Buffer[]; leaves: Leaf[] } {
  const siblings: Buffer[] = []
  let below = leaves
  while (below.length > 1 && siblings.length < depthMax) {
    const depth = siblings.length
    const bit = bitOf(path, depth)
    siblings.push(hashOf(withBit(below, depth, bit === '0' ? '1' : '0'), depth + 1))
    below = withBit(below, depth, bit)
  }
  return { siblings, leaves: below }
}

function sortedLeaves(entries: readonly ReferenceEntry[], pathOf: (key: Uint8Array) => Buffer): Leaf[] {
  const byKey = new Map(entries.map((entry) => [Buffer.from(entry.key).toString('hex'), entry]))
  return [...byKey.values()]
    .map((entry) => ({ ...entry, path: pathOf(entry.key) }))
    .sort((left, right) => Buffer.compare(left.path, right.path))
}

function withBit(leaves: readonly Leaf[], depth: number, bit: string): Leaf[] {
  return leaves.filter((leaf) => bitOf(leaf.path, depth) === bit)
}

function bitOf(path: Buffer, depth: number): string {
  return (path[depth >> 3]! >> (7 - (depth & 7))) & 1 ? '1' : '0'
}

function bitsOf(path: Buffer): string {
  return [...path].map((byte) => byte.toString(2).padStart(8, '0')).join('')
}

function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
