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

/**
 * Of what nothing may hold up the event loop for (50 ms), shared by all works under way: a tenth, and when others take long between two
 * turns as long as they, up to three fifths. A flood of calls must not starve the blocks.
 */
const TURN_MS = { least: 5, most: 30 } as const

/** The shortest that a timer of the platform takes. */
const PAUSE_MS = milliseconds(1)

/**
 * `stepsPerTurn`: how many steps make a turn, whatever time they take; for simulations, in which no time passes meanwhile. Left out,
 * the clock decides.
 */
export function createTurns(clock: Clock, stepsPerTurn?: number): Turns {
  let works = 0
  /** One turn of a work after others had theirs for so long; what it returned, when it is done. */
  const turn = <Value>(steps: Steps<Value>, othersMs: number): IteratorResult<undefined, Value> => {
    const endMs = clock.now() + Math.min(Math.max(othersMs, TURN_MS.least), TURN_MS.most) / works
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
        for (let othersMs = 0; ; ) {
          const step = turn(steps, othersMs)
          if (step.done) return step.value
          const pausedMs = clock.now()
          await clock.sleep(PAUSE_MS)
          othersMs = clock.now() - pausedMs
        }
      } finally {
        works--
      }
    },
  }
}

/** For who has nothing else to do. */
export const AT_ONCE: Turns = { run: async (steps) => finish(steps) }
