/**
 * The state as a map from keys to records, and overlays on it: a candidate block writes into an overlay, which is merged
 * when the block is final and dropped otherwise. Keys are hex texts, so that their order is the order of the bytes.
 * Knows no record's meaning. Spec: docs/spec/chain.md §2.
 * @module
 */
import { assert } from '../../base/assert.ts'

declare const brand: unique symbol
/** Table byte and key as lower-case hexadecimal digits. */
export type StateKey = string & { readonly [brand]: 'StateKey' }

export interface ReadState {
  get(key: StateKey): Uint8Array | undefined
  /** Entries whose key begins with `prefix`, in the order of the keys. Do not write while iterating. */
  entries(prefix: StateKey): Iterable<readonly [StateKey, Uint8Array]>
}

export interface WriteState extends ReadState {
  /** undefined: removes. */
  set(key: StateKey, value: Uint8Array | undefined): void
}

/** What an overlay changed, each key once, in the order of the keys. */
export type StateChanges = readonly (readonly [StateKey, Uint8Array | undefined])[]

export interface Overlay extends WriteState {
  changes(): StateChanges
}

export interface StateStore extends ReadState {
  readonly size: number
  merge(changes: StateChanges): void
}

/** A key of `table` (one byte); `parts` are hex texts. */
export function stateKey(table: number, ...parts: readonly string[]): StateKey {
  return (hexByte(table) + parts.join('')) as StateKey
}

/** A height or number as 16 hex digits, so that keys sort by it. */
export function keyNumber(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, 'a number in a key is a whole number')
  return value.toString(16).padStart(16, '0')
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0')
}

/**
 * A store of these entries. Tables whose entries are iterated (all but the accounts) keep their keys sorted; `indexed`
 * says which.
 */
export function createStateStore(initial: StateChanges, indexed: (key: StateKey) => boolean = () => true): StateStore {
  const values = new Map<StateKey, Uint8Array>()
  const keys: StateKey[] = []
  const write = (key: StateKey, value: Uint8Array | undefined): void => {
    const known = values.has(key)
    if (value === undefined) values.delete(key)
    else values.set(key, value)
    if (!indexed(key) || known === (value !== undefined)) return
    const at = lowerBound(keys, key)
    if (value === undefined) keys.splice(at, 1)
    else keys.splice(at, 0, key)
  }
  const store: StateStore = {
    get size() {
      return values.size
    },
    get: (key) => values.get(key),
    *entries(prefix) {
      assert(indexed(prefix), 'only indexed tables are iterated')
      for (let at = lowerBound(keys, prefix); keys[at]?.startsWith(prefix); at++) {
        const key = keys[at]!
        yield [key, values.get(key)!]
      }
    },
    merge(changes) {
      for (const [key, value] of changes) write(key, value)
    },
  }
  store.merge(initial)
  return store
}

/** Writes stay in the overlay; reads see them over `base`, which must not change meanwhile. */
export function overlayOn(base: ReadState): Overlay {
  const changed = new Map<StateKey, Uint8Array | undefined>()
  return {
    get: (key) => (changed.has(key) ? changed.get(key) : base.get(key)),
    *entries(prefix) {
      const written = [...changed].filter(([key]) => key.startsWith(prefix)).sort(byKey)
      yield* merged(base.entries(prefix), written)
    },
    set(key, value) {
      changed.set(key, value)
    },
    changes: () => [...changed].sort(byKey),
  }
}

/** Both in the order of their keys; what is written stands for what is there. Copies nothing: tables are long, changes few. */
function* merged(
  there: Iterable<readonly [StateKey, Uint8Array]>,
  written: StateChanges,
): Iterable<readonly [StateKey, Uint8Array]> {
  let at = 0
  const until = function* (key: StateKey | undefined): Iterable<readonly [StateKey, Uint8Array]> {
    for (; at < written.length && (key === undefined || written[at]![0] <= key); at++) {
      const [name, value] = written[at]!
      if (value !== undefined) yield [name, value]
    }
  }
  for (const entry of there) {
    yield* until(entry[0])
    if (written[at - 1]?.[0] !== entry[0]) yield entry
  }
  yield* until(undefined)
}

function byKey([a]: readonly [StateKey, unknown], [b]: readonly [StateKey, unknown]): number {
  return a < b ? -1 : 1
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly StateKey[], key: StateKey): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
