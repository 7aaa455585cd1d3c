/** Snapshot parts: each stands for itself, together they are the state, and a forged one is refused. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { STATE_LIMITS } from '../../../../src/base/chain-limits.ts'
import { CodecError } from '../../../../src/base/codec.ts'
import { HouseError } from '../../../../src/base/error.ts'
import { EMPTY_TREE, treeEntries, treeRoot, updateTree } from '../../../../src/core/state/tree.ts'
import {
  decodePart,
  encodePart,
  joinParts,
  planParts,
  type StatePart,
  treePart,
  verifyPart,
} from '../../../../src/core/state/tree-parts.ts'
import { ProofError } from '../../../../src/core/state/tree-proof.ts'
import { referencePart, referencePath, referenceRoot } from './tree-reference.ts'
import { entries, flipped, hex, treeOf } from './tree-world.ts'

const refused = (code: string): unknown => expect.objectContaining({ code })
const depths = fc.nat({ max: 6 })
const list = Array.from({ length: 200 }, (_, index) => ({
  key: Uint8Array.of(1, index),
  value: Uint8Array.of(index, 7),
}))
const tree = treeOf(list)
const root = treeRoot(tree)

function partsOf(of: typeof tree, depthBits: number): StatePart[] {
  return Array.from({ length: 2 ** depthBits }, (_, index) => treePart(of, depthBits, index))
}

test('all parts of any depth, over the wire and in any order, are the tree again', () => {
  const shuffled = depths.chain((depth) =>
    fc.tuple(fc.constant(depth), fc.shuffledSubarray([...Array(2 ** depth).keys()], { minLength: 2 ** depth })),
  )
  fc.assert(
    fc.property(entries, shuffled, (some, [depth, order]) => {
      const whole = treeOf(some)
      const want = referenceRoot(some)
      const received = order.map((index) => decodePart(encodePart(treePart(whole, depth, index))))
      const joined = joinParts({ root: want, parts: received.map((part) => verifyPart({ root: want, part })) })
      expect([...treeEntries(joined)]).toEqual([...treeEntries(whole)])
      const plain = updateTree(
        EMPTY_TREE,
        received.flatMap((part) => part.entries),
      )
      expect(hex(treeRoot(plain))).toBe(hex(want))
    }),
  )
})

test('a part has the bytes of the reference', () => {
  fc.assert(
    fc.property(entries, depths, fc.nat(), (some, depth, draw) => {
      const index = draw % 2 ** depth
      const bytes = encodePart(treePart(treeOf(some), depth, index))
      expect(hex(bytes)).toBe(hex(referencePart(some, depth, index)))
      expect(hex(encodePart(decodePart(bytes)))).toBe(hex(bytes))
    }),
  )
})

test('a joined tree goes on like the tree it is a copy of', () => {
  const joined = joinParts({ root, parts: partsOf(tree, 3).map((part) => verifyPart({ root, part })) })
  const change = [
    { key: Uint8Array.of(1, 5), value: undefined },
    { key: Uint8Array.of(9), value: Uint8Array.of(9) },
  ]
  expect(hex(treeRoot(updateTree(joined, change)))).toBe(hex(treeRoot(updateTree(tree, change))))
})

describe('a plan', () => {
  test.each([1, 64, 500, 100_000])('of parts of %d bytes covers the tree and keeps them small', (bytesMax) => {
    const parts = planParts(tree, bytesMax).map(({ depthBits, index }) => treePart(tree, depthBits, index))
    for (const { entries: some } of parts) {
      const bytes = some.reduce((sum, { key, value }) => sum + 8 + key.length + value.length, 0)
      expect(some.length === 1 || bytes <= bytesMax).toBe(true)
    }
    const joined = joinParts({ root, parts: parts.map((part) => verifyPart({ root, part })) })
    expect([...treeEntries(joined)]).toEqual([...treeEntries(tree)])
  })

  test('has as few parts as the tree allows', () => {
    expect(planParts(tree, 100_000)).toEqual([{ depthBits: 0, index: 0 }])
    expect(planParts(tree, 200 * 12 - 1)).toEqual([
      { depthBits: 1, index: 0 },
      { depthBits: 1, index: 1 },
    ])
  })

  test('of an empty tree has no part', () => {
    expect(planParts(EMPTY_TREE, 1)).toEqual([])
    expect(joinParts({ root: treeRoot(EMPTY_TREE), parts: [] })).toEqual(EMPTY_TREE)
  })
})

describe('a forged part', () => {
  const part = treePart(tree, 3, 5)
  const [first, second, ...rest] = part.entries
  const foreign = treePart(tree, 3, 4).entries[0]!
  const leaf = { path: new Uint8Array(32), valueHash: new Uint8Array(32) }
  const alone = treeOf(list.slice(0, 1))

  test.each<[string, Partial<StatePart>, string]>([
    ['without its first entry', { entries: part.entries.slice(1) }, 'PROOF_WRONG_ROOT'],
    ['without its last entry', { entries: part.entries.slice(0, -1) }, 'PROOF_WRONG_ROOT'],
    ['without entries', { entries: [] }, 'PROOF_WRONG_ROOT'],
    ['with entries reordered', { entries: [second!, first!, ...rest] }, 'PART_BAD_ENTRY'],
    ['with an entry twice', { entries: [first!, first!, second!, ...rest] }, 'PART_BAD_ENTRY'],
    ['with an entry of another part', { entries: [foreign, ...part.entries] }, 'PART_BAD_ENTRY'],
    [
      'with a changed value',
      { entries: [{ ...first!, value: Uint8Array.of(1) }, second!, ...rest] },
      'PROOF_WRONG_ROOT',
    ],
    ['with one sibling less', { siblings: part.siblings.slice(1) }, 'PROOF_BAD_SHAPE'],
    ['with one sibling more', { siblings: [...part.siblings, part.siblings[0]!] }, 'PROOF_BAD_SHAPE'],
    ['with a short sibling', { siblings: [new Uint8Array(31), ...part.siblings.slice(1)] }, 'PROOF_BAD_SHAPE'],
    ['with a leaf from outside beside its entries', { other: leaf }, 'PROOF_BAD_SHAPE'],
    ['that denies its entries by a leaf', { entries: [], other: leaf }, 'PROOF_OTHER_LEAF'],
    ['at another index', { index: 4 }, 'PART_BAD_ENTRY'],
    ['at an index that its depth has not', { index: 8 }, 'PROOF_BAD_SHAPE'],
    ['at a depth over the limit', { depthBits: 49 }, 'PROOF_BAD_SHAPE'],
    ['at a fraction', { index: 4.5 }, 'PROOF_BAD_SHAPE'],
  ])('%s is refused', (_case, change, code) => {
    expect(() => verifyPart({ root, part: { ...part, ...change } })).toThrow(refused(code))
  })

  test.each([
    ['key', { key: new Uint8Array(STATE_LIMITS.keyBytesMax + 1), value: new Uint8Array(1) }],
    ['value', { key: new Uint8Array(1), value: new Uint8Array(STATE_LIMITS.valueBytesMax + 1) }],
  ])('with a %s over its limit is refused wherever it stands', (_what, entry) => {
    const whole = { ...treePart(tree, 0, 0), entries: [entry] }
    expect(() => verifyPart({ root, part: whole })).toThrow(refused('PART_BAD_ENTRY'))
  })

  test('with an entry that the state has not is refused', () => {
    const more = treeOf([...list, { key: Uint8Array.of(2, 2), value: Uint8Array.of(2) }])
    const grown = partsOf(more, 3).find(
      ({ index, entries: some }) => some.length > treePart(tree, 3, index).entries.length,
    )!
    expect(() => verifyPart({ root, part: { ...treePart(tree, 3, grown.index), entries: grown.entries } })).toThrow(
      refused('PROOF_WRONG_ROOT'),
    )
  })

  test('for a leaf alone in the tree must show it above, and only where it stands', () => {
    const want = treeRoot(alone)
    const index = partsOf(alone, 2).findIndex(({ entries: some }) => some.length === 1)
    const inside = treePart(alone, 2, index)
    const outside = treePart(alone, 2, index ^ 1)
    expect([inside.siblings, outside.siblings, outside.entries]).toEqual([[], [], []])
    verifyPart({ root: want, part: inside })
    verifyPart({ root: want, part: outside })
    expect(() => verifyPart({ root: want, part: { ...outside, other: undefined } })).toThrow(
      refused('PROOF_WRONG_ROOT'),
    )
    expect(() => verifyPart({ root: want, part: { ...inside, entries: [], other: outside.other } })).toThrow(
      refused('PROOF_OTHER_LEAF'),
    )
  })

  test('with any one bit other is refused', () => {
    fc.assert(
      fc.property(entries, depths, fc.nat(), (some, depth, draw) => {
        const index = draw % 2 ** depth
        const want = referenceRoot(some)
        const bytes = encodePart(treePart(treeOf(some), depth, index))
        for (let bit = 0; bit < bytes.length * 8; bit += 1 + (draw % 13)) {
          expect(() => {
            const forged = decodePart(flipped(bytes, bit))
            if (forged.depthBits !== depth || forged.index !== index)
              throw new HouseError('OTHER_PART', 'Not asked for.')
            verifyPart({ root: want, part: forged })
          }).toThrow(HouseError)
        }
      }),
      { numRuns: 15 },
    )
  })
})

test('a part with entries has one proof: empty siblings at its end cannot be left out', () => {
  // Two keys whose paths share their first bits, so that the part between has siblings which are empty.
  const all = Array.from({ length: 200 }, (_, index) => ({ key: Uint8Array.of(3, index), value: Uint8Array.of(1) }))
  const byPath = all
    .map((entry) => ({ entry, path: hex(referencePath(entry.key)) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  const at = byPath.findIndex(({ path }, index) => path.slice(0, 2) === byPath[index + 1]?.path.slice(0, 2))
  const pair = [byPath[at]!.entry, byPath[at + 1]!.entry]
  const want = referenceRoot(pair)
  const part = treePart(treeOf(pair), 8, Number.parseInt(byPath[at]!.path.slice(0, 2), 16))
  expect([part.entries.length, part.siblings.length]).toEqual([2, 8])
  verifyPart({ root: want, part })
  for (let depth = 0; depth < 8; depth++) {
    const shorter = { ...part, siblings: part.siblings.slice(0, depth) }
    expect(() => verifyPart({ root: want, part: shorter })).toThrow(refused('PROOF_BAD_SHAPE'))
  }
})

describe('parts that do not make a state', () => {
  const verified = partsOf(tree, 2).map((part) => verifyPart({ root, part }))
  const half = verifyPart({ root, part: treePart(tree, 1, 0) })
  const strange = treeOf(list.slice(1))
  const strangePart = verifyPart({ root: treeRoot(strange), part: treePart(strange, 2, 3) })

  test.each([
    ['one missing', verified.slice(1), 'PARTS_WRONG_ROOT'],
    ['none', [], 'PARTS_WRONG_ROOT'],
    ['one twice', [...verified, verified[2]!], 'PARTS_OVERLAP'],
    ['one inside of another', [...verified, half], 'PARTS_OVERLAP'],
    ['one of another state', [...verified.slice(0, 3), { ...strangePart, node: strange.node }], 'PARTS_WRONG_ROOT'],
  ])('%s: refused', (_case, parts, code) => {
    expect(() => joinParts({ root, parts })).toThrow(refused(code))
  })
})

describe('decoding a part', () => {
  const bytes = encodePart(treePart(tree, 3, 5))

  test.each([
    ['a byte more', Uint8Array.of(...bytes, 0), 'CODEC_TRAILING'],
    ['a byte less', bytes.subarray(0, -1), 'CODEC_TRUNCATED'],
    ['more bytes than a part has', new Uint8Array(STATE_LIMITS.partBytesMax + 1), 'PART_TOO_LARGE'],
    ['more siblings than its depth', Uint8Array.of(3, 5, 0, 0, 0, 0, 0, 0, 0, 4, 0), 'PROOF_BAD_SHAPE'],
    ['an index over its depth', Uint8Array.of(3, 8, 0, 0, 0, 0, 0, 0, 0), 'PROOF_BAD_SHAPE'],
    ['an index over safe integers', Uint8Array.of(48, 255, 255, 255, 255, 255, 255, 255, 255), 'PROOF_BAD_SHAPE'],
    ['a flag that is neither', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2), 'CODEC_BAD_VALUE'],
    ['a count beyond any', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255), 'CODEC_TOO_LONG'],
  ])('refuses %s', (_case, wrong, code) => {
    expect(() => decodePart(wrong)).toThrow(refused(code))
  })

  test('of any bytes gives a part with these bytes or a coded error', () => {
    const start = fc
      .constantFrom('000000000000000000' + '0000' + '00', '020300000000000000' + '0000' + '00')
      .map((text) => Buffer.from(text, 'hex'))
    const likely = fc.tuple(start, fc.uint8Array({ max: 3, maxLength: 60 })).map((both) => Buffer.concat(both))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), likely), (bytesDrawn) => {
        try {
          expect(hex(encodePart(decodePart(bytesDrawn)))).toBe(hex(bytesDrawn))
        } catch (error) {
          if (!(error instanceof CodecError) && !(error instanceof ProofError)) throw error
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('is not asked of a part too large to send', () => {
    const big = Array.from({ length: 40 }, (_, index) => ({
      key: Uint8Array.of(index),
      value: new Uint8Array(STATE_LIMITS.valueBytesMax),
    }))
    expect(() => encodePart(treePart(treeOf(big), 0, 0))).toThrow(refused('PART_TOO_LARGE'))
  })
})
