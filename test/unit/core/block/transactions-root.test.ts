/** The inclusion proofs of transactions. */
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { Reader, Writer } from '../../../../src/base/codec.ts'
import {
  isIncluded,
  proveTransaction,
  readInclusionProof,
  transactionsRoot,
  writeInclusionProof,
} from '../../../../src/core/block/transactions-root.ts'
import { hashOf, ZERO_HASH } from '../../../../src/core/fields.ts'

const ids = (count: number): Hash[] => Array.from({ length: count }, (_, index) => hashOf(sha256(Uint8Array.of(index))))

describe('an inclusion proof', () => {
  test('shows every transaction of every small block, and survives its bytes', () => {
    for (let count = 1; count <= 33; count++) {
      const all = ids(count)
      const root = transactionsRoot(all)
      for (const [index, id] of all.entries()) {
        const bytes = writeInclusionProof(new Writer(), proveTransaction(all, index)).finish()
        expect(isIncluded(root, id, readInclusionProof(new Reader(bytes)))).toBe(true)
      }
    }
  })

  test('shows nothing of another transaction, root, or with a sibling more, less or changed', () => {
    const all = ids(11)
    const root = transactionsRoot(all)
    const proof = proveTransaction(all, 6)
    const id = all[6]!
    expect(isIncluded(root, all[5]!, proof)).toBe(false)
    expect(isIncluded(transactionsRoot(all.slice(1)), id, proof)).toBe(false)
    const { siblings } = proof
    for (const changed of [siblings.slice(1), [...siblings, ZERO_HASH], [ZERO_HASH, ...siblings.slice(1)], []]) {
      expect(isIncluded(root, id, { ...proof, siblings: changed })).toBe(false)
    }
    expect(isIncluded(root, id, { ...proof, index: proof.count })).toBe(false)
  })

  test('an inner node is no transaction', () => {
    const all = ids(4)
    const [, pair] = proveTransaction(all, 0).siblings
    const claim = { index: 0, count: 2, siblings: [pair!] }
    expect(isIncluded(transactionsRoot(all), hash(proveTransaction(all, 2).siblings[1]!), claim)).toBe(false)
  })

  test('of random bytes is refused with a code or shows nothing', () => {
    const root = transactionsRoot(ids(5))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(isIncluded(root, ids(1)[0]!, readInclusionProof(new Reader(bytes)))).toBe(false)
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^CODEC_/) })
        }
      }),
    )
  })

  test.each([
    ['an index that is not below the count', 3, 3, 0],
    ['a count above any block', 0, 8_193, 0],
    ['more siblings than any tree has levels', 0, 8_192, 14],
  ])('with %s is refused', (_case, index, count, siblings) => {
    const writer = new Writer()
      .u32(index)
      .u32(count)
      .u32(siblings)
      .raw(new Uint8Array(32 * siblings))
    expect(() => readInclusionProof(new Reader(writer.finish()))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^CODEC_/) }),
    )
  })
})

test('no transactions have the root of zeros', () => {
  expect(transactionsRoot([])).toBe(ZERO_HASH)
})
