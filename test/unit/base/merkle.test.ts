/** The Merkle tree of RFC 9162 against published vectors. */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { type MerkleHashing, merklePath, merkleRoot, rootFromPath } from '../../../src/base/merkle.ts'
import vectors from '../../vectors/merkle-rfc6962.json' with { type: 'json' }

const PLAIN: MerkleHashing = {
  leaf: (data) => sha256(concatBytes(Uint8Array.of(0), data)),
  inner: (left, right) => sha256(concatBytes(Uint8Array.of(1), left, right)),
}
const leaves = vectors.leaves.map(hexToBytes)

describe('RFC 6962 vectors', () => {
  test.each(vectors.roots.map((root, index) => [index + 1, root]))('root of %i leaves', (count, root) => {
    expect(bytesToHex(merkleRoot(leaves.slice(0, Number(count)), PLAIN))).toBe(root)
  })

  test.each(vectors.paths)('path of leaf $index of $count', ({ index, count, siblings }) => {
    const path = merklePath(leaves.slice(0, count), index, PLAIN)
    expect(path.map(bytesToHex)).toEqual(siblings)
    const computed = rootFromPath(leaves[index]!, { index, count, siblings: path }, PLAIN)
    expect(bytesToHex(computed!)).toBe(vectors.roots[count - 1])
  })
})
