/** Tagged hashes: one digest, however it is asked for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { taggedHash, taggedHasher, taggedHasherInto } from '../../../src/core/hash.ts'
import { tagged } from './state/tree-reference.ts'

test('all forms give the digest of the definition, however often and in whatever order', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 })
  const tags = ['', 'dllm/test', 'a longer tag that is over sixty-four bytes, more than a block of the hash'] as const
  const hashers = tags.map((tag) => ({ tag, hash: taggedHasher(tag), hashInto: taggedHasherInto(tag) }))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 2 }), parts), { maxLength: 8 }), (calls) => {
      for (const [which, given] of calls) {
        const { tag, hash, hashInto } = hashers[which]!
        const digest = Uint8Array.from(tagged(tag, ...given))
        expect(taggedHash(tag, ...given)).toEqual(digest)
        expect(hash(...given)).toEqual(digest)
        const target = new Uint8Array(32)
        hashInto(target, ...given)
        expect(target).toEqual(digest)
      }
    }),
  )
})

test('a digest stays as it is when the next is made', () => {
  const hash = taggedHasher('dllm/test')
  const first = hash(Uint8Array.of(1))
  const copy = Uint8Array.from(first)
  hash(Uint8Array.of(2))
  expect(first).toEqual(copy)
})

test('a call that fails leaves the hasher fit for use', () => {
  const hash = taggedHasher('dllm/test')
  expect(() => hash(Uint8Array.of(1), 'text' as unknown as Uint8Array)).toThrow()
  expect(hash(Uint8Array.of(2))).toEqual(taggedHash('dllm/test', Uint8Array.of(2)))
})
