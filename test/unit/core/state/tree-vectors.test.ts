/** The published vectors of the state tree: what stands in the file, what the reference makes, what the program makes. */
import { describe, expect, test } from 'vitest'
import { treeRoot } from '../../../../src/core/state/tree.ts'
import { hashOfValue, pathOfKey } from '../../../../src/core/state/tree-node.ts'
import { unpack } from '../../../../src/core/state/tree-packed.ts'
import { decodePart, encodePart, treePart, verifyPart } from '../../../../src/core/state/tree-parts.ts'
import { decodeProof, encodeProof, proveKey, verifyProof } from '../../../../src/core/state/tree-proof.ts'
import vectors from '../../../vectors/state-tree.json' with { type: 'json' }
import { stateTreeVectors } from './tree-vectors.ts'
import { hex, treeOf } from './tree-world.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'hex')

test('the file is what the reference makes', () => {
  expect(vectors).toEqual(stateTreeVectors())
})

test('digests of paths, values and nothing', () => {
  expect(hex(pathOfKey(bytes(vectors.hashes.path.key)))).toBe(vectors.hashes.path.hash)
  expect(hex(unpack(hashOfValue(bytes(vectors.hashes.value.value))))).toBe(vectors.hashes.value.hash)
  expect(hex(treeRoot(treeOf([])))).toBe(vectors.hashes.empty)
})

describe.each(vectors.trees)('$name', ({ entries, root, proofs, parts }) => {
  const tree = treeOf(entries.map(({ key, value }) => ({ key: bytes(key), value: bytes(value) })))

  test('has its root', () => {
    expect(hex(treeRoot(tree))).toBe(root)
  })

  test.each(proofs)('proves "$key"', ({ key, proof }) => {
    expect(hex(encodeProof(proveKey(tree, bytes(key))))).toBe(proof)
    const value = verifyProof({ root: bytes(root), key: bytes(key), proof: decodeProof(bytes(proof)) })
    expect(value && hex(value)).toBe(entries.find((entry) => entry.key === key)?.value)
  })

  test.each(parts)('has part $index of depth $depthBits', ({ depthBits, index, part }) => {
    expect(hex(encodePart(treePart(tree, depthBits, index)))).toBe(part)
    verifyPart({ root: bytes(root), part: decodePart(bytes(part)) })
  })
})
