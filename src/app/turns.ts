/**
 * Long work in turns of the event loop: after some milliseconds of it everything else that waits comes first.
 * Spec: docs/spec/consensus.md §2.
 * @module
 */
import { milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import { finish, type Steps } from '../base/steps.ts'

export interface Turns {
  /** Resolves with what the work returns. @throws what it throws. */
  run<Value>(steps: Steps<Value>): Promise<Value>
}

/** A fifth of what nothing may hold up the event loop for: several works can be under way. */
const TURN_MS = 10

/** The shortest that a timer of the platform takes. */
const PAUSE_MS = milliseconds(1)

/**
 * `stepsPerTurn`: how many steps make a turn, whatever time they take; for simulations, in which no time passes meanwhile. Left out,
 * the clock decides.
 */
export function createTurns(clock: Clock, stepsPerTurn?: number): Turns {
  return {
    async run(steps) {
      for (;;) {
        const endMs = clock.now() + TURN_MS
        for (
          let count = 0;
          count === 0 || (stepsPerTurn === undefined ? clock.now() < endMs : count < stepsPerTurn);
        ) {
          const step = steps.next()
          if (step.done) return step.value
          count++
        }
        await clock.sleep(PAUSE_MS)
      }
    },
  }
}

/** For who has nothing else to do. */
export const AT_ONCE: Turns = { run: async (steps) => finish(steps) }
