/**
 * Engines of posts within what one machine has: threads that they take in turns, one bound for caches, one for memory.
 * Spec: docs/spec/posts.md §2.
 * @module
 */
import type { Clock } from '../../base/ports.ts'
import type { EngineError } from '../../ml/engine/engine.ts'
import { rangeOf } from '../../ml/manifest.ts'
import { type BatchRunner, createEngineHost } from '../engine-host.ts'
import type { EngineWish } from '../engines.ts'
import { markServed } from '../model-use.ts'
import { formatBytes } from '../table.ts'
import type { createWorkerRunner } from '../worker-runner.ts'
import { createCacheBudget } from './cache-budget.ts'
import { createEngineTurns } from './engine-turns.ts'
import { type PostToServe, type PostWish, weightBytesOf } from './post.ts'
import { PostError } from './post-error.ts'

export interface EnginesOptions {
  /** The data folder. */
  readonly home: string
  readonly engine: EngineWish
  readonly threads: number
  /** Of all sessions together. */
  readonly cacheBytesMax: number
  /** Of all engines' weights, and the caches. */
  readonly memoryBytesMax: number
  readonly createRunner: typeof createWorkerRunner
}

export interface OpenEngine extends PostToServe {
  /** Resolves when it is gone although nobody closed it. */
  readonly lost: Promise<EngineError>
  /** Nothing of the machine waits for its sessions any more, or again. */
  setLeaving(isLeaving: boolean): void
}

export interface Engines {
  /** @throws PostError POST_NO_MEMORY for one that does not fit beside the others; EngineError, ModelError. */
  open(wish: PostWish): Promise<OpenEngine>
}

export function createEngines(options: EnginesOptions, { clock }: { readonly clock: Clock }): Engines {
  const { home, engine, threads, cacheBytesMax, createRunner } = options
  const turns = createEngineTurns({ clock })
  const caches = createCacheBudget(cacheBytesMax)
  /** Bytes of weights, of those that are open or being opened. */
  const loaded = new Map<PostWish, number>()

  const checkMemory = (wish: PostWish): void => {
    // What one engine alone may have is for whoever started it to know.
    if (loaded.size === 0) return
    const bytes = weightBytesOf(wish)
    const taken = [...loaded.values()].reduce((sum, each) => sum + each, cacheBytesMax)
    if (taken + bytes > options.memoryBytesMax) throw noMemory(wish, { bytes, taken, max: options.memoryBytesMax })
  }
  const start = async (wish: PostWish): Promise<BatchRunner> => {
    const { model, firstSegment, lastSegment } = wish
    return createRunner({ home, model, firstSegment, lastSegment, engine, threads, cacheBytesMax })
  }

  return {
    async open(wish) {
      checkMemory(wish)
      loaded.set(wish, weightBytesOf(wish))
      const { model, firstSegment, lastSegment } = wish
      const runner = await start(wish).catch((error: unknown) => {
        loaded.delete(wish)
        throw error
      })
      const unmark = await markServed(home, model)
      const budgeted = caches.join(runner, rangeOf(model.manifest, firstSegment, lastSegment))
      const host = createEngineHost(budgeted, { clock }, turns.join())
      return {
        ...{ model, firstSegment, lastSegment, device: deviceOf(runner, threads) },
        ...{ lost: runner.lost, setLeaving: budgeted.setLeaving },
        host: {
          ...host,
          async close() {
            loaded.delete(wish)
            await host.close()
            await unmark()
          },
        },
      }
    },
  }
}

/** Names of drivers have no bound. */
const NAME_CHARACTERS_MAX = 80

function deviceOf({ engine, device }: BatchRunner, threads: number): string {
  return device === undefined ? `${engine} × ${threads}` : `${engine} on ${device.name.slice(0, NAME_CHARACTERS_MAX)}`
}

function noMemory(
  { model, firstSegment, lastSegment }: PostWish,
  { bytes, taken, max }: { readonly bytes: number; readonly taken: number; readonly max: number },
): PostError {
  const run = `segments ${firstSegment + 1} to ${lastSegment} of ${model.manifest.name}`
  const message = `There is no memory for ${run} beside what this miner serves: they take ${formatBytes(bytes)}, and ${formatBytes(taken)} of ${formatBytes(max)} are used. Serve less, or give more with --memory-mib.`
  return new PostError('POST_NO_MEMORY', message, { details: { bytes, taken, max } })
}
