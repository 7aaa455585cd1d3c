/**
 * The two clocks of a session at a stage: a step that must come back round the ring, and a client that must not fall
 * silent for good. Either one ends the session.
 * Spec: docs/spec/wire.md §4.6.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { RingError } from './ring-error.ts'
import { createTimer } from './timer.ts'

export interface SessionTimers {
  /** A step left: it must be back within `withinMs`. Replaces the step before. */
  expectStep(withinMs: number): void
  /** The step is back, or nobody waits for it any more. */
  stepDone(): void
  /** The session is in use. */
  touch(): void
  stop(): void
}

/** How exact the idle limit, minutes, needs to be. */
const TOUCH_MS = 1_000

export function createSessionTimers(clock: Clock, fail: (error: RingError) => void): SessionTimers {
  const step = createTimer(clock)
  const idle = createTimer(clock)
  let touchedMs = Number.NEGATIVE_INFINITY
  return {
    expectStep: (withinMs) => {
      const late = `A step did not come back round the ring within ${withinMs / 1_000} s.`
      step.arm(milliseconds(withinMs), () => fail(new RingError('RING_STEP_DEADLINE', late)))
    },
    stepDone: () => step.disarm(),
    touch: () => {
      // Every message touches: a timer that is late by a second is set a thousand times less often.
      const nowMs = clock.now()
      if (nowMs - touchedMs < TOUCH_MS) return
      touchedMs = nowMs
      const unused = 'The session was not used for too long; start a new one.'
      idle.arm(milliseconds(SESSION_LIMITS.idleMsMax), () => fail(new RingError('RING_SESSION_IDLE', unused)))
    },
    stop: () => {
      step.disarm()
      idle.disarm()
    },
  }
}
