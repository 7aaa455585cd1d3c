/**
 * Virtual time: a heap of things to happen, and clocks that show it to nodes, each with its own error. Nothing here waits
 * for real time.
 * @module
 */
import { type Milliseconds, milliseconds } from '../../src/base/brand.ts'
import type { AbortSignalLike, Clock } from '../../src/base/ports.ts'

export interface Timeline {
  /** True time since the beginning, milliseconds. */
  nowMs(): number
  /** What is due at the same time happens in the order of these calls. */
  schedule(delayMs: number, task: () => void): () => void
  /** Moves to the next thing up to `untilMs` and does it; false when there is none, and then it is `untilMs`. */
  step(untilMs: number): boolean
  /** Things done so far. */
  count(): number
}

interface Happening {
  readonly atMs: number
  readonly order: number
  /** undefined: cancelled. */
  task: (() => void) | undefined
}

export function createTimeline(): Timeline {
  const heap: Happening[] = []
  let nowMs = 0
  let order = 0
  let count = 0
  return {
    nowMs: () => nowMs,
    schedule(delayMs, task) {
      const happening: Happening = { atMs: nowMs + Math.max(0, delayMs), order: order++, task }
      push(heap, happening)
      return () => {
        happening.task = undefined
      }
    },
    step(untilMs) {
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        pop(heap)
        const { task } = next
        if (task === undefined) continue
        nowMs = next.atMs
        count++
        task()
        return true
      }
      nowMs = untilMs
      return false
    },
    count: () => count,
  }
}

function push(heap: Happening[], happening: Happening): void {
  let at = heap.length
  heap.push(happening)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(happening, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = happening
}

/** Takes the first one away. */
function pop(heap: Happening[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** Unix time at the beginning of every simulation. */
export const EPOCH_MS = 1_800_000_000_000

/** How wrong a machine's clock is. */
export interface ClockError {
  readonly offsetMs: number
  /** Parts per million by which it is too fast. */
  readonly driftPpm: number
}

export interface MachineClock extends Clock {
  /** The process is gone: none of its tasks happen any more. */
  stop(): void
}

export function createMachineClock(timeline: Timeline, error: ClockError): MachineClock {
  const { offsetMs, driftPpm } = error
  const rate = 1 + driftPpm / 1_000_000
  let isStopped = false
  const localMs = (): number => Math.floor(timeline.nowMs() * rate)
  const schedule = (delayMs: Milliseconds, task: () => void): (() => void) =>
    timeline.schedule(Math.ceil(delayMs / rate), () => {
      if (!isStopped) task()
    })
  return {
    now: () => milliseconds(localMs()),
    wallMs: () => milliseconds(EPOCH_MS + offsetMs + localMs()),
    schedule,
    sleep: (delayMs, signal) => sleep(schedule, delayMs, signal),
    stop() {
      isStopped = true
    },
  }
}

function sleep(schedule: Clock['schedule'], delayMs: Milliseconds, signal: AbortSignalLike | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = schedule(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort)
  })
}

/**
 * Lets everything happen that waits for nothing but the processor. All of a node's waiting is for promises, clocks, wires and disks;
 * the latter three are simulated, and promises have run out before the next turn of the event loop begins.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
