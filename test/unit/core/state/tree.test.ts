/** The state tree against its reference: one root per set of entries, whatever led there. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../../../../src/base/assert.ts'
import { STATE_LIMITS } from '../../../../src/base/chain-limits.ts'
import { finish } from '../../../../src/base/steps.ts'
import {
  EMPTY_TREE,
  emptyTree,
  treeEntries,
  treeRoot,
  treeValue,
  updateTree,
  updateTreeInSteps,
} from '../../../../src/core/state/tree.ts'
import { nodeHash } from '../../../../src/core/state/tree-node.ts'
import { pack, unpack } from '../../../../src/core/state/tree-packed.ts'
import { referencePath, referenceRoot } from './tree-reference.ts'
import { applied, changes, entries, hex, keys, treeOf, values, ways } from './tree-world.ts'

describe.each(ways)('with %s', (_name, empty, pathOf) => {
  test('the root is that of the reference, in one batch or several', () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 5 }), (batches) => {
        const stepwise = batches.reduce((tree, batch) => {
          const next = updateTree(tree, batch)
          expect(treeRoot(next)).toHaveLength(32)
          return next
        }, empty)
        const root = hex(referenceRoot(applied(batches.flat()), pathOf))
        expect(hex(treeRoot(stepwise))).toBe(root)
        expect(hex(treeRoot(treeOf(batches.flat(), empty)))).toBe(root)
      }),
    )
  })

  test('in steps of any size an update gives the tree that it gives at once', () => {
    fc.assert(
      fc.property(entries, changes, fc.integer({ min: 1, max: 40 }), (list, batch, size) => {
        const before = treeOf(list, empty)
        const atOnce = updateTree(before, batch)
        const inSteps = finish(updateTreeInSteps(before, batch, size))
        expect(hex(treeRoot(inSteps))).toBe(hex(treeRoot(atOnce)))
        // Both are hashed now: node by node the same.
        expect(inSteps).toEqual(atOnce)
        expect(inSteps === before).toBe(atOnce === before)
      }),
    )
  })

  test('the order of insertion does not matter', () => {
    const shuffled = entries.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    )
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        const oneByOne = other.reduce((tree, entry) => updateTree(tree, [entry]), empty)
        expect(hex(treeRoot(oneByOne))).toBe(hex(treeRoot(treeOf(list, empty))))
      }),
    )
  })

  test('what was added and removed again leaves the old root', () => {
    fc.assert(
      fc.property(entries, entries, (list, more) => {
        const before = treeOf(list, empty)
        const known = new Set(list.map(({ key }) => hex(key)))
        const added = more.filter(({ key }) => !known.has(hex(key)))
        const after = updateTree(
          updateTree(before, added),
          added.map(({ key }) => ({ key, value: undefined })),
        )
        expect(hex(treeRoot(after))).toBe(hex(treeRoot(before)))
      }),
    )
  })

  test('an update leaves the tree it began with, and siblings of it, as they were', () => {
    fc.assert(
      fc.property(entries, changes, changes, (list, one, other) => {
        const before = treeOf(list, empty)
        const [first, second] = [updateTree(before, one), updateTree(before, other)]
        expect(hex(treeRoot(second))).toBe(hex(referenceRoot(applied([...list, ...other]), pathOf)))
        expect(hex(treeRoot(first))).toBe(hex(referenceRoot(applied([...list, ...one]), pathOf)))
        expect(hex(treeRoot(before))).toBe(hex(referenceRoot(list, pathOf)))
      }),
    )
  })

  test('values are read back, absent keys are undefined', () => {
    fc.assert(
      fc.property(entries, keys, (list, key) => {
        const wanted = list.find((entry) => hex(entry.key) === hex(key))?.value
        const found = treeValue(treeOf(list, empty), key)
        expect(found && hex(found)).toBe(wanted && hex(wanted))
      }),
    )
  })

  test('entries come in the order of their paths', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const sorted = [...list].sort((left, right) => Buffer.compare(pathOf(left.key), pathOf(right.key)))
        const found = [...treeEntries(treeOf(list, empty))]
        expect(found.map(({ key, value }) => [hex(key), hex(value)])).toEqual(
          sorted.map(({ key, value }) => [hex(key), hex(value)]),
        )
      }),
    )
  })

  test('changes that change nothing give the same tree', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const tree = treeOf(list, empty)
        const absent = { key: Uint8Array.of(1, 2, 3), value: undefined }
        expect(updateTree(tree, [...list, absent])).toBe(tree)
      }),
    )
  })
})

test('of several changes of one key the last counts', () => {
  const key = Uint8Array.of(1)
  const tree = treeOf([
    { key, value: Uint8Array.of(1) },
    { key, value: undefined },
    { key, value: Uint8Array.of(2) },
  ])
  expect(treeValue(tree, key)).toEqual(Uint8Array.of(2))
})

test('two paths that differ in their last bit alone stand at depth 256', () => {
  const pathOf = (key: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(31, 0xa5), key])
  const list = [
    { key: Uint8Array.of(0x10), value: Uint8Array.of(1) },
    { key: Uint8Array.of(0x11), value: Uint8Array.of(2) },
  ]
  const tree = treeOf(list, emptyTree(pathOf))
  expect(hex(treeRoot(tree))).toBe(hex(referenceRoot(list, pathOf)))
  const single = updateTree(tree, [{ key: Uint8Array.of(0x10), value: undefined }])
  expect(hex(treeRoot(single))).toBe(hex(referenceRoot(list.slice(1), pathOf)))
  expect(single.node.type).toBe('leaf')
})

test('a long random history ends at the reference', () => {
  const change = fc.record({
    key: fc.uint8Array({ minLength: 2, maxLength: 2 }),
    value: fc.option(values, { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(change, { minLength: 300, maxLength: 400 }), (history) => {
      let tree = EMPTY_TREE
      for (let start = 0; start < history.length; start += 37) tree = updateTree(tree, history.slice(start, start + 37))
      expect(hex(treeRoot(tree))).toBe(hex(referenceRoot(applied(history))))
    }),
    { numRuns: 5 },
  )
})

test('the tree keeps bytes of its own', () => {
  const entry = { key: Uint8Array.of(1), value: Uint8Array.of(2) }
  const tree = treeOf([entry])
  const root = hex(treeRoot(tree))
  entry.key[0] = 9
  entry.value[0] = 9
  treeRoot(tree)[0]! ^= 1
  treeValue(tree, Uint8Array.of(1))![0] = 9
  expect(hex(treeRoot(tree))).toBe(root)
  expect(treeValue(tree, Uint8Array.of(1))).toEqual(Uint8Array.of(2))
})

test('untouched subtrees are shared, and hashed once', () => {
  const list = Array.from({ length: 256 }, (_, index) => ({ key: Uint8Array.of(index), value: Uint8Array.of(index) }))
  const before = treeOf(list)
  nodeHash(before.node)
  const after = updateTree(before, [{ key: Uint8Array.of(7), value: Uint8Array.of(9) }])
  const goesRight = referencePath(Uint8Array.of(7))[0]! >> 7 === 1
  const [old, young] = [before.node, after.node]
  if (old.type !== 'inner' || young.type !== 'inner') throw new Error('256 leaves make inner nodes')
  expect(goesRight ? young.left : young.right).toBe(goesRight ? old.left : old.right)
  expect((goesRight ? young.left : young.right).type === 'inner' && young.hash).toBeUndefined()
})

test.each([
  ['a key over its limit', { key: new Uint8Array(STATE_LIMITS.keyBytesMax + 1), value: new Uint8Array(1) }],
  ['a value over its limit', { key: new Uint8Array(1), value: new Uint8Array(STATE_LIMITS.valueBytesMax + 1) }],
])('%s is a bug of the caller', (_case, change) => {
  expect(() => treeOf([change])).toThrow(AssertionError)
})

test.each([0, 1, 32, 8_192, 8_193, STATE_LIMITS.valueBytesMax])('%d bytes are packed and unpacked', (length) => {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff)
  expect(Buffer.compare(unpack(pack(bytes)), bytes)).toBe(0)
})
