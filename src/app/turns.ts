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

/** A tenth of what nothing may hold up the event loop for, shared by all works under way: news and calls need turns as well. */
const TURN_MS = 5

/** The shortest that a timer of the platform takes. */
const PAUSE_MS = milliseconds(1)

/**
 * `stepsPerTurn`: how many steps make a turn, whatever time they take; for simulations, in which no time passes meanwhile. Left out,
 * the clock decides.
 */
export function createTurns(clock: Clock, stepsPerTurn?: number): Turns {
  let works = 0
  /** One turn of a work; what it returned, when it is done. */
  const turn = <Value>(steps: Steps<Value>): IteratorResult<undefined, Value> => {
    const endMs = clock.now() + TURN_MS / works
    for (let count = 1; ; count++) {
      const step = steps.next()
      const isOver = stepsPerTurn === undefined ? clock.now() >= endMs : count >= stepsPerTurn
      if (step.done || isOver) return step
    }
  }
  return {
    async run(steps) {
      works++
      try {
        for (;;) {
          const step = turn(steps)
          if (step.done) return step.value
          await clock.sleep(PAUSE_MS)
        }
      } finally {
        works--
      }
    },
  }
}

/** For who has nothing else to do. */
export const AT_ONCE: Turns = { run: async (steps) => finish(steps) }
