/**
 * A bounded queue between reading loops and one reader.
 * @module
 */
import { assert } from '../../base/assert.ts'

export interface Inbox<Item> {
  /** Items over the bound are dropped: a peer that floods its client only harms its own session. */
  put(item: Item): void
  /** The oldest item; waits for one. Rejects with the signal's reason; an aborted wait loses no item. */
  take(signal?: AbortSignal): Promise<Item>
}

export function createInbox<Item>(itemsMax: number): Inbox<Item> {
  const items: Item[] = []
  let wake: (() => void) | undefined
  return {
    put(item) {
      if (items.length >= itemsMax) return
      items.push(item)
      wake?.()
    },
    async take(signal) {
      assert(wake === undefined, 'an inbox has one reader')
      signal?.throwIfAborted()
      if (items.length === 0) {
        await new Promise<void>((resolve, reject) => {
          const settle = (act: () => void) => {
            wake = undefined
            signal?.removeEventListener('abort', onAbort)
            act()
          }
          const onAbort = () => settle(() => reject(signal?.reason))
          wake = () => settle(resolve)
          signal?.addEventListener('abort', onAbort)
        })
      }
      return items.shift()!
    },
  }
}
