/**
 * Transit: how long things take between memory wires, and what gets lost. With a seed and a simulated clock, the same calls
 * give the same journeys. Knows nothing of what travels.
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import { uniformAt } from '../base/prng.ts'

/** What a network does to everything that travels on it. Probabilities are 0 to 1. */
export interface MemoryNetworkConditions {
  readonly seed: bigint
  /** One way, drawn anew for each thing sent; news so overtake each other, a channel keeps its order. */
  readonly delayMs: { readonly least: number; readonly most: number }
  /** Of one piece of news to one peer. */
  readonly newsLoss: number
  readonly newsDuplication: number
  /** Of a channel for each chunk of bytes: a channel loses nothing without ending. */
  readonly channelCut: number
}

export interface Transit {
  /** Replaces the conditions; things on their way keep theirs. */
  setConditions(conditions: MemoryNetworkConditions | undefined): void
  /** Calls `arrive` when one thing has made its way: in a microtask if nothing delays it. */
  send(fixedDelayMs: Milliseconds | undefined, arrive: () => void): void
  /** Waits for one way, and gives its time. */
  travel(fixedDelayMs: Milliseconds | undefined, signal: AbortSignal | undefined): Promise<Milliseconds>
  /** How many of one piece of news arrive. */
  newsCopies(): 0 | 1 | 2
  cutsChannel(): boolean
}

export function createTransit(clock: Clock | undefined): Transit {
  let conditions: MemoryNetworkConditions | undefined
  let drawn = 0n

  function setConditions(next: MemoryNetworkConditions | undefined): void {
    if (next) {
      assert(0 <= next.delayMs.least && next.delayMs.least <= next.delayMs.most, 'delays are a range from 0 up')
      for (const chance of [next.newsLoss, next.newsDuplication, next.channelCut]) {
        assert(chance >= 0 && chance <= 1, 'a probability is 0 to 1')
      }
      if (next.seed !== conditions?.seed) drawn = 0n
    }
    conditions = next
  }

  function happens(probability: number | undefined): boolean {
    return probability !== undefined && probability > 0 && uniform() < probability
  }

  function uniform(): number {
    assert(conditions, 'chance has a seed')
    return uniformAt(conditions.seed, drawn++)
  }

  function delay(fixedDelayMs: Milliseconds | undefined): Milliseconds {
    if (fixedDelayMs !== undefined) return fixedDelayMs
    if (!conditions) return milliseconds(0)
    const { least, most } = conditions.delayMs
    return milliseconds(least === most ? least : least + Math.floor(uniform() * (most - least + 1)))
  }

  return {
    setConditions,
    send: (fixedDelayMs, arrive) => {
      const delayMs = delay(fixedDelayMs)
      if (delayMs > 0) needed(clock).schedule(delayMs, arrive)
      else queueMicrotask(arrive)
    },
    travel: async (fixedDelayMs, signal) => {
      signal?.throwIfAborted()
      const delayMs = delay(fixedDelayMs)
      if (delayMs > 0) await needed(clock).sleep(delayMs, signal)
      return delayMs
    },
    newsCopies: () => {
      if (happens(conditions?.newsLoss)) return 0
      return happens(conditions?.newsDuplication) ? 2 : 1
    },
    cutsChannel: () => happens(conditions?.channelCut),
  }
}

function needed(clock: Clock | undefined): Clock {
  assert(clock, 'a memory network with delays needs a clock')
  return clock
}
