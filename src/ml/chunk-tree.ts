/**
 * What names a file of a model: the root of the Merkle tree of RFC 9162 §2.1, with SHA-256, over its chunks of 1 MiB. Combines hashes of chunks;
 * chunks themselves are hashed by app/shards/chunk-hash.ts, where the system's SHA-256 is.
 * Spec: docs/spec/shards.md §1.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import { type Hash, hash } from '../base/brand.ts'
import { merkleRoot } from '../base/merkle.ts'

export const CHUNK_BYTES = 1_048_576
/** Bytes of a hash, and so of a leaf. */
export const LEAF_BYTES = 32

const INNER_PREFIX = Uint8Array.of(1)

/** Chunks of a file of `bytes`; none of an empty one. */
export function chunkCount(bytes: number): number {
  return Math.ceil(bytes / CHUNK_BYTES)
}

/** Bytes of one chunk: `CHUNK_BYTES`, or fewer for the last. */
export function chunkLength(bytes: number, index: number): number {
  assert(index >= 0 && index < chunkCount(bytes), 'a chunk of the file')
  return Math.min(CHUNK_BYTES, bytes - index * CHUNK_BYTES)
}

/** The root over leaves that lie one behind the other (count × 32 bytes); of none, the SHA-256 of nothing. */
export function rootOfLeaves(leaves: Uint8Array): Hash {
  assert(leaves.length % LEAF_BYTES === 0, 'leaves are whole hashes')
  if (leaves.length === 0) return hash(bytesToHex(sha256(leaves)))
  const count = leaves.length / LEAF_BYTES
  const list = Array.from({ length: count }, (_, index) => leafAt(leaves, index))
  return hash(bytesToHex(merkleRoot(list, { leaf: (leaf) => leaf, inner: hashPair })))
}

/** The leaf of chunk `index`, 32 bytes of `leaves`. */
export function leafAt(leaves: Uint8Array, index: number): Uint8Array {
  return leaves.subarray(index * LEAF_BYTES, (index + 1) * LEAF_BYTES)
}

/** Whether these can be all leaves of a file: as many as it has chunks, and its root above them. */
export function areLeavesOf(file: { readonly root: Hash; readonly bytes: number }, leaves: Uint8Array): boolean {
  return leaves.length === chunkCount(file.bytes) * LEAF_BYTES && rootOfLeaves(leaves) === file.root
}

function hashPair(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(INNER_PREFIX, left, right))
}
