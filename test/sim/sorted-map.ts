/**
 * Bytes to bytes, ordered by key. Keys are kept as text with one character per byte, whose order is that of the bytes.
 * @module
 */
import type { EntryRange } from '../../src/app/store/key-value.ts'

export interface SortedMap {
  get(key: Uint8Array): Uint8Array | undefined
  set(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
  /** Entries of a range as they are now. */
  slice(range: EntryRange): [Uint8Array, Uint8Array][]
  /** Shares the values. */
  copy(): SortedMap
}

export function createSortedMap(values: ReadonlyMap<string, Uint8Array> = new Map()): SortedMap {
  const map = new Map(values)
  /** Sorted again when asked for after a key came or went. */
  let sorted: string[] | undefined
  const keys = (): string[] => {
    sorted ??= [...map.keys()].sort(compare)
    return sorted
  }
  return {
    get: (key) => map.get(textOf(key)),
    set(key, value) {
      const text = textOf(key)
      if (!map.has(text)) sorted = undefined
      map.set(text, value)
    },
    delete(key) {
      if (map.delete(textOf(key))) sorted = undefined
    },
    slice({ from, until, limit = Number.POSITIVE_INFINITY, reverse = false }) {
      const start = from === undefined ? 0 : firstNotBelow(keys(), textOf(from))
      const end = until === undefined ? keys().length : firstNotBelow(keys(), textOf(until))
      const count = Math.max(0, Math.min(limit, end - start))
      const found = reverse
        ? keys()
            .slice(end - count, end)
            .reverse()
        : keys().slice(start, start + count)
      return found.map((text) => [new Uint8Array(Buffer.from(text, 'latin1')), map.get(text)!])
    },
    copy: () => createSortedMap(map),
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Index of the first key that is not below `text`. */
function firstNotBelow(keys: readonly string[], text: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < text) low = middle + 1
    else high = middle
  }
  return low
}
