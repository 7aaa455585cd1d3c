/**
 * Bounded waits: work that gets a signal which fires at a deadline or with the caller's signal, whichever is first.
 * @module
 */
import { milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import { abortable } from './channel.ts'

export interface Deadline {
  readonly clock: Clock
  readonly limitMs: number
  /** Fires the same signal earlier. */
  readonly signal?: AbortSignal | undefined
  /** The error at the deadline; default a plain Error. */
  readonly late?: () => Error
}

/** The result of `work`; rejects with the caller's reason, or with `late` at the deadline. The timer ends with the work. */
export async function withDeadline<Value>(
  deadline: Deadline,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const { clock, limitMs, signal } = deadline
  const late = deadline.late ?? (() => new Error(`no answer within ${limitMs} ms`))
  signal?.throwIfAborted()
  const timer = new AbortController()
  const cancel = clock.schedule(milliseconds(limitMs), () => timer.abort(late()))
  const either = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal
  try {
    return await abortable(work(either), either)
  } finally {
    cancel()
  }
}
