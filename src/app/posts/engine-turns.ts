/**
 * Turns of the engines of one miner: one computes at a time, since each uses all threads and all memory bandwidth that the miner was given. A turn is
 * a batch; the next one goes to the engine that had the least time so far. Who was idle has saved nothing up. With one engine nobody ever waits.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import type { Clock } from '../../base/ports.ts'

/** Runs one batch of one engine when its turn has come, and resolves with what it gives. */
export type TakeTurn = <Result>(work: () => Promise<Result>) => Promise<Result>

export interface EngineTurns {
  /** For one engine. */
  join(): TakeTurn
}

interface Engine {
  /** Time in turns; who joins or comes back begins at the level of who computes. */
  usedMs: number
}

interface Waiting {
  readonly engine: Engine
  readonly begin: () => void
}

export function createEngineTurns({ clock }: { readonly clock: Clock }): EngineTurns {
  const waiting: Waiting[] = []
  let isBusy = false
  let levelMs = 0

  const levelOf = ({ usedMs }: Engine): number => Math.max(usedMs, levelMs)
  const passOn = (): void => {
    const [first, ...others] = waiting
    if (first === undefined) {
      isBusy = false
      return
    }
    const next = others.reduce((least, one) => (levelOf(one.engine) < levelOf(least.engine) ? one : least), first)
    waiting.splice(waiting.indexOf(next), 1)
    next.begin()
  }

  return {
    join() {
      const engine: Engine = { usedMs: 0 }
      return async (work) => {
        if (isBusy) await new Promise<void>((resolve) => waiting.push({ engine, begin: resolve }))
        isBusy = true
        engine.usedMs = levelOf(engine)
        levelMs = engine.usedMs
        const startedMs = clock.now()
        try {
          return await work()
        } finally {
          engine.usedMs += clock.now() - startedMs
          passOn()
        }
      }
    },
  }
}
