/**
 * Virtual time: events in the order of their moments, equal moments in the order in which they were set. A binary heap.
 * @module
 */

export interface EventQueue {
  /** Milliseconds since the start. */
  nowMs(): number
  /** Runs `event` at a whole millisecond, which is not in the past. */
  at(ms: number, event: () => void): void
  /** Runs the next event. Gives whether there was one. */
  next(): boolean
}

interface Entry {
  readonly ms: number
  readonly order: number
  readonly event: () => void
}

export function createEventQueue(): EventQueue {
  const heap: Entry[] = []
  let nowMs = 0
  let order = 0

  const isBefore = (a: number, b: number): boolean => {
    const [one, other] = [heap[a]!, heap[b]!]
    return one.ms === other.ms ? one.order < other.order : one.ms < other.ms
  }
  const swap = (a: number, b: number): void => {
    const held = heap[a]!
    heap[a] = heap[b]!
    heap[b] = held
  }
  const rise = (start: number): void => {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!isBefore(at, parent)) return
      swap(at, parent)
      at = parent
    }
  }
  const sink = (): void => {
    for (let at = 0; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && isBefore(child, least)) least = child
      if (least === at) return
      swap(at, least)
      at = least
    }
  }

  return {
    nowMs: () => nowMs,
    at: (ms, event) => {
      heap.push({ ms: Math.max(Math.floor(ms), nowMs), order: order++, event })
      rise(heap.length - 1)
    },
    next: () => {
      const first = heap[0]
      if (first === undefined) return false
      const last = heap.pop()!
      if (heap.length > 0) {
        heap[0] = last
        sink()
      }
      nowMs = first.ms
      first.event()
      return true
    },
  }
}
