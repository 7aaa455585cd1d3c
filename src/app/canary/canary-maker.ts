/**
 * Makes the canary of a model of this machine with the engine that miners use, one segment after the other, and puts it into the store.
 * Spec: docs/spec/model.md §12.
 * @module
 */
import { CANARY_LIMITS } from '../../base/limits.ts'
import { cacheBytes } from '../../ml/engine/engine.ts'
import { createEngineHost } from '../engine-host.ts'
import type { EngineWish } from '../engines.ts'
import type { StoredModel } from '../model-store.ts'
import type { FileId } from '../shards/chunk-source.ts'
import type { ShardStore } from '../shards/shard-store.ts'
import type { System } from '../system.ts'
import { createWorkerRunner } from '../worker-runner.ts'
import { keepCanary } from './canary-files.ts'
import { makeCanary } from './canary-run.ts'

export interface CanaryOrder {
  /** The data folder. */
  readonly home: string
  readonly store: ShardStore
  /** All of its shards are here. */
  readonly model: StoredModel
  readonly engine: EngineWish
  readonly threads: number
  /** Before each segment, counted from 0. */
  readonly onSegment: (segment: number, count: number) => void
}

/** What the chain is to name. @throws EngineError, ModelError, ShardError. */
export async function makeModelCanary(order: CanaryOrder, system: System, signal: AbortSignal): Promise<FileId> {
  const { home, store, model, engine, threads, onSegment } = order
  const { segments, config } = model.manifest
  const canary = await makeCanary(
    model,
    async (segment) => {
      onSegment(segment, segments.length)
      const cacheBytesMax = cacheBytes(config, segments[segment]!, CANARY_LIMITS.rowsMax)
      const part = { firstSegment: segment, lastSegment: segment + 1 }
      return createEngineHost(
        await createWorkerRunner({ home, model, ...part, engine, threads, cacheBytesMax }),
        system,
      )
    },
    signal,
  )
  return keepCanary({ home, store }, model, canary)
}
