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

/** A signal that fires when one of a row of waits is too long; cheaper than a signal for each. */
export interface MovingDeadline {
  readonly signal: AbortSignal
  /** A wait begins: it may take `limitMs`. */
  arm(limitMs: number, late: () => Error): void
  /** The wait is over. */
  disarm(): void
}

/** `outer` fires the same signal. */
export function createMovingDeadline(clock: Clock, outer: AbortSignal | undefined): MovingDeadline {
  const controller = new AbortController()
  const timer = createTimer(clock)
  return {
    signal: outer ? AbortSignal.any([controller.signal, outer]) : controller.signal,
    arm: (limitMs, late) => timer.arm(milliseconds(limitMs), () => controller.abort(late())),
    disarm: () => timer.disarm(),
  }
}
