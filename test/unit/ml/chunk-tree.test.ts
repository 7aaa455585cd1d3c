/** The tree that names a file: what it is for small files, and that it is that of RFC 9162. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leafHash, leavesOfBytes, rootOfBytes } from '../../../src/app/shards/chunk-hash.ts'
import { areLeavesOf, CHUNK_BYTES, chunkCount, chunkLength, rootOfLeaves } from '../../../src/ml/chunk-tree.ts'
import vectors from '../../vectors/merkle-rfc6962.json' with { type: 'json' }

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

describe('a file is named by', () => {
  test('the hash of nothing, when it is empty', () => {
    expect(rootOfBytes(new Uint8Array(0))).toBe(sha256().toString('hex'))
    expect(chunkCount(0)).toBe(0)
  })

  test('its leaf, when it is one chunk', () => {
    expect(rootOfBytes(Buffer.from('abc'))).toBe(sha256(Uint8Array.of(0), Buffer.from('abc')).toString('hex'))
  })

  test('a tree over chunks of 1 MiB and a shorter last one', () => {
    const bytes = Buffer.alloc(2 * CHUNK_BYTES + 1, 7)
    const leaf = (from: number, to: number) => sha256(Uint8Array.of(0), bytes.subarray(from, to))
    const first = sha256(Uint8Array.of(1), leaf(0, CHUNK_BYTES), leaf(CHUNK_BYTES, 2 * CHUNK_BYTES))
    const root = sha256(Uint8Array.of(1), first, leaf(2 * CHUNK_BYTES, bytes.length))
    expect(rootOfBytes(bytes)).toBe(root.toString('hex'))
    expect([0, 1, 2].map((index) => chunkLength(bytes.length, index))).toEqual([CHUNK_BYTES, CHUNK_BYTES, 1])
  })

  // The published leaves are short, so that each counts as a chunk here.
  test.each(vectors.roots.map((root, index) => [index + 1, root]))('the published root of %i leaves', (count, root) => {
    const leaves = vectors.leaves.slice(0, Number(count)).map((hex) => leafHash(Buffer.from(hex, 'hex')))
    expect(rootOfLeaves(Buffer.concat(leaves))).toBe(root)
  })
})

describe('leaves are those of a file', () => {
  const bytes = Buffer.alloc(3 * CHUNK_BYTES + 5, 1)
  const file = { root: rootOfBytes(bytes), bytes: bytes.length }
  const leaves = leavesOfBytes(bytes)

  test('when they lead to its root', () => expect(areLeavesOf(file, leaves)).toBe(true))

  test.each([
    ['one is missing', leaves.subarray(32)],
    ['one is too many', Buffer.concat([leaves, leaves.subarray(0, 32)])],
    ['one is cut', leaves.subarray(0, leaves.length - 1)],
    ['there are none', new Uint8Array(0)],
    // The two nodes below the root of four chunks lead to it as well, but are not four leaves.
    ['they are inner nodes', inner(leaves)],
  ])('not when %s', (_case, other) => expect(areLeavesOf(file, other)).toBe(false))

  test('not when a bit is another', () => {
    const position = fc.nat({ max: leaves.length * 8 - 1 })
    fc.assert(
      fc.property(position, (bit) => {
        const changed = Uint8Array.from(leaves)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        expect(areLeavesOf(file, changed)).toBe(false)
      }),
    )
  })
})

function inner(leaves: Uint8Array): Uint8Array {
  const pair = (at: number) => sha256(Uint8Array.of(1), leaves.subarray(at, at + 64))
  return Buffer.concat([pair(0), pair(64)])
}
