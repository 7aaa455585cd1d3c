/**
 * A list that stays in order while items come and go: an array and binary search. Moving a few thousand references is cheaper
 * than a tree of objects. Knows nothing of its items.
 * @module
 */
import { assert } from '../base/assert.ts'

/** Negative when `left` stands before `right`; 0 for the same item only. */
export type Compare<Item> = (left: Item, right: Item) => number

export interface SortedList<Item> {
  readonly items: readonly Item[]
  add(item: Item): void
  /** The item is in the list and its order has not changed since. */
  remove(item: Item): void
  /** Many at once, in one pass. */
  removeAll(gone: ReadonlySet<Item>): void
  /** Takes the last item out. */
  pop(): Item | undefined
  /** To be called when the order of the items has changed. */
  sort(): void
}

export function sortedList<Item>(initial: readonly Item[], compare: Compare<Item>): SortedList<Item> {
  const items = [...initial].sort(compare)
  const indexOf = (item: Item): number => {
    let low = 0
    let high = items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(items[middle]!, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    items,
    add: (item) => void items.splice(indexOf(item), 0, item),
    remove: (item) => {
      const at = indexOf(item)
      assert(items[at] === item, 'an item to be removed is in the list')
      items.splice(at, 1)
    },
    removeAll(gone) {
      let kept = 0
      for (const item of items) if (!gone.has(item)) items[kept++] = item
      items.length = kept
    },
    pop: () => items.pop(),
    sort: () => void items.sort(compare),
  }
}
