/**
 * A clock that stands still until a test moves it.
 * @module
 */
import { type Milliseconds, milliseconds } from '../src/base/brand.ts'
import type { Clock } from '../src/base/ports.ts'

export interface FakeClock extends Clock {
  /** Moves time; what is due happens now, in its order. */
  advance(byMs: number): void
}

interface Task {
  readonly atMs: number
  readonly run: () => void
}

export function createFakeClock(): FakeClock {
  const tasks = new Set<Task>()
  let nowMs = 1_000
  const schedule = (delayMs: Milliseconds, run: () => void): (() => void) => {
    const task = { atMs: nowMs + delayMs, run }
    tasks.add(task)
    return () => tasks.delete(task)
  }
  return {
    now: () => milliseconds(nowMs),
    wallMs: () => milliseconds(1_750_000_000_000 + nowMs),
    schedule,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const cancel = schedule(delayMs, () => resolve())
        signal?.addEventListener('abort', () => {
          cancel()
          reject(signal.reason)
        })
      }),
    advance: (byMs) => {
      const untilMs = nowMs + byMs
      for (;;) {
        const [next] = [...tasks].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (!next) break
        tasks.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.run()
      }
      nowMs = untilMs
    },
  }
}

/** A disk that others keep busy takes its time; turns alone say nothing of it. */
const PATIENCE_MS = 30_000

/** Lets everything that is ready happen until `condition` holds; fails when it never does. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while (performance.now() < untilMs) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`never happened: ${what}`)
}
