/**
 * Steps that come together, computed together. The rows of one batch leave a stage one after the other, some tenths of a millisecond apart; if the next
 * stage began with the first of them, the others would wait for a batch of one, and groups of sessions would fall apart until every
 * batch has one row. So before a batch a stage waits while steps of other sessions are still coming in.
 * Spec: docs/spec/wire.md §4.3.
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { CacheId } from '../ml/engine/engine.ts'

export interface StepGathering {
  /** A step came. */
  came(cache: CacheId): void
  left(cache: CacheId): void
  /** Before a batch of all that waits: until a pause in which nothing came, or for a part of what the last batch took; undefined where all sessions have come. */
  pause(waiting: () => number): Promise<void> | undefined
  /** After a batch. */
  took(ms: Milliseconds): void
}

export function createStepGathering(clock: Clock): StepGathering {
  /** Batches before the last step of each session. */
  const seen = new Map<CacheId, number>()
  let batches = 0
  let lastMs = milliseconds(0)
  const wait = async (waiting: () => number): Promise<void> => {
    const pauses = Math.ceil(lastMs / (ENGINE_LIMITS.gatherBatchMs * 2))
    for (let pause = 0; pause < pauses && waiting() < seen.size; pause++) {
      const before = waiting()
      await clock.sleep(milliseconds(ENGINE_LIMITS.gatherPauseMs))
      if (waiting() === before) return
    }
  }
  return {
    came: (cache) => void seen.set(cache, batches),
    left: (cache) => void seen.delete(cache),
    pause: (waiting) => (lastMs < ENGINE_LIMITS.gatherBatchMs || waiting() >= seen.size ? undefined : wait(waiting)),
    took(ms) {
      lastMs = ms
      batches++
      for (const [cache, at] of seen) if (at + ENGINE_LIMITS.gatherBatches < batches) seen.delete(cache)
    },
  }
}
