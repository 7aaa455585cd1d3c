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
  readonly signal: AbortSignal | undefined
}

/** The result of `work`; rejects with the caller's reason, or with a plain Error at the deadline. */
export async function withDeadline<Value>(
  deadline: Deadline,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const { clock, limitMs, signal } = deadline
  signal?.throwIfAborted()
  const timer = new AbortController()
  const cancel = clock.schedule(milliseconds(limitMs), () => timer.abort(new Error(`no answer within ${limitMs} ms`)))
  const either = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal
  try {
    return await abortable(work(either), either)
  } finally {
    cancel()
  }
}
