/** Proofs of the state tree: true ones hold, and nothing else does. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { STATE_LIMITS } from '../../../../src/base/chain-limits.ts'
import { CodecError } from '../../../../src/base/codec.ts'
import { HouseError } from '../../../../src/base/error.ts'
import { EMPTY_TREE, emptyTree, treeRoot } from '../../../../src/core/state/tree.ts'
import {
  decodeProof,
  encodeProof,
  ProofError,
  proveKey,
  type StateProof,
  verifyPath,
  verifyProof,
} from '../../../../src/core/state/tree-proof.ts'
import { referencePath, referenceProof, referenceRoot } from './tree-reference.ts'
import { entries, flipped, hex, keys, treeOf, ways } from './tree-world.ts'

const refused = (code: string): unknown => expect.objectContaining({ code })

describe.each(ways)('with %s', (_name, empty, pathOf) => {
  test('every present key is proved with its value, every absent one without', () => {
    fc.assert(
      fc.property(entries, keys, (list, absent) => {
        const tree = treeOf(list, empty)
        const root = referenceRoot(list, pathOf)
        for (const key of [...list.map((entry) => entry.key), absent]) {
          const proof = proveKey(tree, key)
          const value = verifyPath({ root, path: pathOf(key), proof })
          const wanted = list.find((entry) => hex(entry.key) === hex(key))?.value
          expect(value && hex(value)).toBe(wanted && hex(wanted))
        }
      }),
    )
  })

  test('a proof has the bytes of the reference, and is its own decoding', () => {
    fc.assert(
      fc.property(entries, keys, (list, key) => {
        const bytes = encodeProof(proveKey(treeOf(list, empty), key))
        expect(hex(bytes)).toBe(hex(referenceProof(list, key, pathOf)))
        expect(hex(encodeProof(decodeProof(bytes)))).toBe(hex(bytes))
      }),
    )
  })
})

describe('a proof is refused', () => {
  test('when any one bit of it is other', () => {
    fc.assert(
      fc.property(entries, keys, (list, key) => {
        const root = referenceRoot(list)
        const bytes = encodeProof(proveKey(treeOf(list), key))
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          expect(() => verifyProof({ root, key, proof: decodeProof(flipped(bytes, bit)) })).toThrow(HouseError)
        }
      }),
      { numRuns: 15 },
    )
  })

  test('with any one byte more or less', () => {
    const list = [1, 2, 3].map((byte) => ({ key: Uint8Array.of(byte), value: Uint8Array.of(byte) }))
    for (const key of [Uint8Array.of(1), Uint8Array.of(9)]) {
      const bytes = encodeProof(proveKey(treeOf(list), key))
      expect(() => decodeProof(Uint8Array.of(...bytes, 0))).toThrow(refused('CODEC_TRAILING'))
      for (let end = 0; end < bytes.length; end++) {
        expect(() => decodeProof(bytes.subarray(0, end))).toThrow(refused('CODEC_TRUNCATED'))
      }
    }
  })

  test('for another root, another key and another state', () => {
    fc.assert(
      fc.property(entries, keys, keys, fc.nat({ max: 255 }), (list, key, other, bit) => {
        const tree = treeOf(list)
        const root = treeRoot(tree)
        const proof = proveKey(tree, key)
        expect(() => verifyProof({ root: flipped(root, bit), key, proof })).toThrow(refused('PROOF_WRONG_ROOT'))
        const has = (wanted: Uint8Array): boolean => list.some((entry) => hex(entry.key) === hex(wanted))
        if (hex(key) === hex(other) || (!has(key) && !has(other))) return
        expect(() => verifyProof({ root, key: other, proof })).toThrow(ProofError)
      }),
    )
  })
})

describe('a liar', () => {
  const list = Array.from({ length: 30 }, (_, index) => ({ key: Uint8Array.of(index), value: Uint8Array.of(index, 1) }))
  const tree = treeOf(list)
  const root = treeRoot(tree)
  const key = Uint8Array.of(4)
  const honest = proveKey(tree, key)
  const leaf = { path: referencePath(key), valueHash: new Uint8Array(32) }

  test.each<[string, StateProof, string]>([
    ['denies a present key by an empty end', { ...honest, end: { type: 'empty' } }, 'PROOF_WRONG_ROOT'],
    ['denies a present key by its own leaf', { ...honest, end: { type: 'other', ...leaf } }, 'PROOF_OTHER_LEAF'],
    ['shows another value', { ...honest, end: { type: 'value', value: Uint8Array.of(200) } }, 'PROOF_WRONG_ROOT'],
    ['leaves out the last sibling', { ...honest, siblings: honest.siblings.slice(0, -1) }, 'PROOF_WRONG_ROOT'],
    ['adds a sibling', { ...honest, siblings: [...honest.siblings, new Uint8Array(32)] }, 'PROOF_WRONG_ROOT'],
    ['adds an empty sibling', { ...honest, siblings: [...honest.siblings, treeRoot(EMPTY_TREE)] }, 'PROOF_WRONG_ROOT'],
    ['turns the siblings around', { ...honest, siblings: honest.siblings.toReversed() }, 'PROOF_WRONG_ROOT'],
    ['gives a sibling of 31 bytes', { ...honest, siblings: [new Uint8Array(31)] }, 'PROOF_BAD_SHAPE'],
    ['gives 257 siblings', { ...honest, siblings: Array(257).fill(new Uint8Array(32)) }, 'PROOF_BAD_SHAPE'],
    [
      'gives a leaf of 31 bytes',
      { ...honest, end: { type: 'other', ...leaf, valueHash: new Uint8Array(31) } },
      'PROOF_BAD_SHAPE',
    ],
  ])('%s', (_case, proof, code) => {
    expect(() => verifyProof({ root, key, proof })).toThrow(refused(code))
  })

  test('denies a present key by a leaf from elsewhere', () => {
    const path = Buffer.from(referencePath(key))
    path[0]! ^= 0x80
    const proof: StateProof = { ...honest, end: { type: 'other', path, valueHash: new Uint8Array(32) } }
    expect(() => verifyProof({ root, key, proof })).toThrow(refused('PROOF_OTHER_LEAF'))
  })

  test('passes an inner node off as a leaf', () => {
    // The last sibling's parent is an inner node: its two halves have the length of a path and a value hash.
    const siblings = honest.siblings.slice(0, 1)
    const inner = { path: honest.siblings[0]!, valueHash: honest.siblings[1]! }
    const proof: StateProof = { siblings, end: { type: 'other', ...inner } }
    expect(() => verifyProof({ root, key, proof })).toThrow(ProofError)
  })
})

describe('decoding', () => {
  test.each([
    ['257 siblings', Buffer.concat([Buffer.from([1, 1]), Buffer.alloc(257 * 32 + 1)]), 'PROOF_BAD_SHAPE'],
    ['an unknown kind of end', Buffer.from([0, 0, 3]), 'PROOF_BAD_SHAPE'],
    ['a value over its limit', Buffer.from([0, 0, 1, 1, 0, 1, 0]), 'CODEC_TOO_LONG'],
    ['65,535 siblings that are not there', Buffer.from([0xff, 0xff]), 'PROOF_BAD_SHAPE'],
  ])('refuses %s', (_case, bytes, code) => {
    expect(() => decodeProof(bytes)).toThrow(refused(code))
  })

  test('of any bytes gives a proof with these bytes or a coded error', () => {
    const likely = fc
      .tuple(
        fc.constantFrom(0, 1, 2),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.nat({ max: 3 }),
        fc.uint8Array({ maxLength: 80 }),
      )
      .map(([count, siblings, kind, rest]) =>
        Uint8Array.of(count, 0, ...siblings.subarray(0, count * 32), kind, ...rest),
      )
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), likely), (bytes) => {
        try {
          expect(hex(encodeProof(decodeProof(bytes)))).toBe(hex(bytes))
        } catch (error) {
          if (!(error instanceof CodecError) && !(error instanceof ProofError)) throw error
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('takes the largest proof there is', () => {
    const pathOf = (key: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(31), key])
    const value = new Uint8Array(STATE_LIMITS.valueBytesMax)
    const list = [0, 1].map((byte) => ({ key: Uint8Array.of(byte), value }))
    const tree = treeOf(list, emptyTree(pathOf))
    const proof = decodeProof(encodeProof(proveKey(tree, list[1]!.key)))
    expect(proof.siblings).toHaveLength(256)
    expect(verifyPath({ root: treeRoot(tree), path: pathOf(list[1]!.key), proof })).toHaveLength(value.length)
  })
})
