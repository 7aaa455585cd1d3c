/** What the tests of the state tree share: small keys and values, and paths chosen so that trees grow deep. */
import fc from 'fast-check'
import {
  EMPTY_TREE,
  emptyTree,
  type StateChange,
  type StateEntry,
  type StateTree,
  updateTree,
} from '../../../../src/core/state/tree.ts'
import { referencePath } from './tree-reference.ts'

/** Few different keys, so that changes meet each other. */
export const keys: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 1, maxLength: 2, max: 7 })
export const values: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 40 })
export const entries: fc.Arbitrary<StateEntry[]> = fc.uniqueArray(fc.record({ key: keys, value: values }), {
  maxLength: 40,
  selector: ({ key }) => Buffer.from(key).toString('hex'),
})
export const changes: fc.Arbitrary<StateChange[]> = fc.array(
  fc.record({ key: keys, value: fc.option(values, { nil: undefined, freq: 2 }) }),
  { maxLength: 30 },
)

/** Keys differ in the first byte of their path and in the last: chains of one-sided nodes down to depth 256. */
export function deepPath(key: Uint8Array): Buffer {
  const path = Buffer.alloc(32)
  path[0] = (key[0] ?? 0) & 3
  path[31] = (((key[0] ?? 0) >> 2) << 6) | ((key[1] ?? 0) << 2) | key.length
  return path
}

/** The way of the chain, and one that makes deep trees. */
export const ways: [name: string, empty: StateTree, pathOf: (key: Uint8Array) => Buffer][] = [
  ['hashed paths', EMPTY_TREE, referencePath],
  ['paths that meet deep down', emptyTree(deepPath), deepPath],
]

export function treeOf(list: readonly StateChange[], empty: StateTree = EMPTY_TREE): StateTree {
  return updateTree(empty, list)
}

/** The entries after the changes, as a plain map would have them. */
export function applied(list: readonly StateChange[]): StateEntry[] {
  const map = new Map<string, StateEntry>()
  for (const { key, value } of list) {
    const name = Buffer.from(key).toString('hex')
    if (value === undefined) map.delete(name)
    else map.set(name, { key, value })
  }
  return [...map.values()]
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The bytes with one bit other. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}
