/**
 * How fast a miner passes on what it recalls for those who do not pay: nothing that is computed slows it down, and a link takes as many bytes as its line.
 * One pace for all of them together, so that it is of no use to come as several. Who would wait for longer than computing takes is let compute.
 * Spec: docs/spec/wire.md §4.10.
 * @module
 */
import { type Milliseconds, milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { PREFIX_LIMITS } from '../../base/prefix-limits.ts'

export interface RecallPace {
  /**
   * Resolves when so many bytes may go out; false, at once and without effect, if that would be in more than `withinMs`.
   * Rejects with the signal's reason.
   */
  take(bytes: number, withinMs: Milliseconds, signal: AbortSignal): Promise<boolean>
}

export type PaceBounds = { readonly [Name in keyof typeof PREFIX_LIMITS & `unpaid${string}`]: number }

export function createRecallPace(bounds: PaceBounds, { clock }: { clock: Clock }): RecallPace {
  const { unpaidBytesPerSecond, unpaidBytesAtOnce } = bounds
  const msFor = (bytes: number): number => (1_000 * bytes) / unpaidBytesPerSecond
  /** When all that was let go has gone out at the pace. */
  let doneMs = Number.NEGATIVE_INFINITY
  return {
    async take(bytes, withinMs, signal) {
      const nowMs = clock.now()
      const thenMs = Math.max(doneMs, nowMs) + msFor(bytes)
      const waitMs = Math.max(0, thenMs - nowMs - msFor(unpaidBytesAtOnce))
      if (waitMs > withinMs) return false
      doneMs = thenMs
      if (waitMs > 0) await clock.sleep(milliseconds(waitMs), signal)
      return true
    },
  }
}
