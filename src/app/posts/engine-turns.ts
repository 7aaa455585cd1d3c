/**
 * Turns of the engines of one miner: one computes at a time, since each uses all threads and all memory bandwidth that the miner was given. A turn is
 * a batch; the next one goes to the engine that had the least time so far. Who was idle has saved nothing up. With one engine nobody ever waits.
 * Spec: docs/spec/posts.md §2.
 * @module
 */
import type { Clock } from '../../base/ports.ts'

/** Of one engine. Between `begin` and `end` it has work. */
export interface EngineSeat {
  /** Resolves when its turn has come; undefined: it has. */
  begin(): Promise<void> | undefined
  /** Its batch is done and more waits: resolves when it is its turn again, which may be at once. */
  next(): Promise<void> | undefined
  /** Its batch is done, and nothing waits. */
  end(): void
}

export interface EngineTurns {
  /** One engine more. */
  join(): EngineSeat
}

interface Engine {
  /** Time in turns; who joins or comes back begins at the level of who computes. */
  usedMs: number
  startedMs: number
}

interface Waiting {
  readonly engine: Engine
  readonly begin: () => void
}

export function createEngineTurns({ clock }: { readonly clock: Clock }): EngineTurns {
  const waiting: Waiting[] = []
  let isBusy = false
  let levelMs = 0

  const start = (engine: Engine): void => {
    isBusy = true
    engine.usedMs = Math.max(engine.usedMs, levelMs)
    levelMs = engine.usedMs
    engine.startedMs = clock.now()
  }
  const stop = (engine: Engine): void => {
    engine.usedMs += clock.now() - engine.startedMs
    isBusy = false
  }
  const wait = (engine: Engine): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push({ engine, begin: resolve })
    return promise
  }
  /** What counts is the time since the latest turns: who was away is no further back than that. */
  const levelOf = ({ engine }: Waiting): number => Math.max(engine.usedMs, levelMs)
  const passOn = (): void => {
    const [first, ...others] = waiting
    if (first === undefined) return
    const next = others.reduce((least, one) => (levelOf(one) < levelOf(least) ? one : least), first)
    waiting.splice(waiting.indexOf(next), 1)
    start(next.engine)
    next.begin()
  }

  return {
    join() {
      const engine: Engine = { usedMs: 0, startedMs: 0 }
      return {
        begin() {
          if (isBusy) return wait(engine)
          start(engine)
          return undefined
        },
        next() {
          stop(engine)
          const turn = wait(engine)
          passOn()
          return turn
        },
        end() {
          stop(engine)
          passOn()
        },
      }
    },
  }
}
