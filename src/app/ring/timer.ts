/**
 * One deadline at a time: arming it again moves it, disarming forgets it.
 * @module
 */
import { type Milliseconds, milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'

export interface Timer {
  arm(delayMs: Milliseconds, task: () => void): void
  disarm(): void
}

export function createTimer(clock: Clock): Timer {
  let cancel: () => void = () => undefined
  return {
    arm(delayMs, task) {
      cancel()
      cancel = clock.schedule(delayMs, task)
    },
    disarm: () => cancel(),
  }
}

/**
 * Runs `work` with a signal that fires with `late` after `delayMs`; the timer ends with the work. `outer` fires the
 * same signal earlier.
 */
export async function withDeadline<Result>(
  options: { clock: Clock; delayMs: number; late: () => Error; outer?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController()
  const cancel = options.clock.schedule(milliseconds(options.delayMs), () => controller.abort(options.late()))
  const signal = options.outer ? AbortSignal.any([controller.signal, options.outer]) : controller.signal
  try {
    return await work(signal)
  } finally {
    cancel()
  }
}
