/**
 * An engine stage behind an asynchronous door: steps of many sessions queue up, and whatever waits when the
 * engine is free runs as one batch (batch-invariant by the specification). The stage itself may live in this
 * thread (tests, probes) or in a worker (app/engine-worker.ts).
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { SESSION_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { CacheId, DeviceEngineName, EngineError, EngineName, StepInput, StepOutput } from '../ml/engine/engine.ts'
import { rowsOf } from '../ml/engine/step-check.ts'
import type { LayerRange } from '../ml/tensors.ts'
import type { EngineSeat } from './posts/engine-turns.ts'

/** Of an engine that computes elsewhere than on the processor. */
export interface EngineDevice {
  /** As its driver calls it. */
  readonly name: string
  /** How its numbers are made: `native`, `soft` (gpu.md §4). */
  readonly arithmetic: string
}

/** What the far side of the door does; one batch at a time. */
export interface BatchRunner {
  readonly engine: EngineName | DeviceEngineName
  readonly device?: EngineDevice | undefined
  readonly weightBytes: number
  readonly config: ModelConfig
  openCache(capacity: number, part?: LayerRange): Promise<CacheId>
  closeCache(cache: CacheId): Promise<void>
  run(batch: readonly StepInput[]): Promise<{ outputs: StepOutput[]; computeMs: Milliseconds }>
  /** Resolves, with the reason, when the engine is gone although nobody closed it; else never. */
  readonly lost: Promise<EngineError>
  /** Resolves when another engine has taken over, of another speed: with that one. Default: never. */
  readonly moved?: Promise<BatchRunner['engine']> | undefined
  close(): Promise<void>
}

export interface StepRun {
  readonly output: StepOutput
  /** Time in the engine, shared with the rest of the batch. */
  readonly computeMs: Milliseconds
  /** Time in the queue before it. */
  readonly queueMs: Milliseconds
}

export interface EngineHost {
  readonly engine: EngineName | DeviceEngineName
  readonly weightBytes: number
  /** As BatchRunner. */
  readonly moved?: BatchRunner['moved']
  /** `part` of the engine's segments (Stage.openCache), default all. Throws ENGINE_OUT_OF_MEMORY. */
  openCache(capacity: number, part?: LayerRange): Promise<CacheId>
  closeCache(cache: CacheId): Promise<void>
  run(step: StepInput): Promise<StepRun>
  close(): Promise<void>
}

interface Waiting {
  readonly step: StepInput
  readonly rows: number
  readonly sinceMs: Milliseconds
  readonly resolve: (run: StepRun) => void
  readonly reject: (error: unknown) => void
}

/** Of an engine that is this process's only one. */
const ALONE: EngineSeat = { begin: async () => undefined, next: async () => undefined, end: () => undefined }

/**
 * Batches steps in arrival order. A batch is bounded by rows, so that a long prompt cannot hold up everybody. `seat`: of an engine beside others.
 */
export function createEngineHost(runner: BatchRunner, ports: { clock: Clock }, seat: EngineSeat = ALONE): EngineHost {
  const queue: Waiting[] = []
  let running = false

  const takeBatch = (): Waiting[] => {
    const batch = [queue.shift()!]
    const sessions = new Set([batch[0]!.step.cache])
    let rows = batch[0]!.rows
    for (let index = 0; index < queue.length; ) {
      const next = queue[index]!
      // A session's later step must wait for its earlier one, even when the later one would fit.
      const fits = rows + next.rows <= SESSION_LIMITS.batchRowsMax && !sessions.has(next.step.cache)
      sessions.add(next.step.cache)
      if (!fits) {
        index++
        continue
      }
      batch.push(next)
      rows += next.rows
      queue.splice(index, 1)
    }
    return batch
  }

  const runBatch = async (batch: readonly Waiting[]): Promise<void> => {
    const startedMs = ports.clock.now()
    try {
      const { outputs, computeMs } = await runner.run(batch.map((waiting) => waiting.step))
      for (const [index, waiting] of batch.entries()) {
        waiting.resolve({ output: outputs[index]!, computeMs, queueMs: milliseconds(startedMs - waiting.sinceMs) })
      }
    } catch (error) {
      for (const waiting of batch) waiting.reject(error)
    }
  }

  const pump = async (): Promise<void> => {
    if (running) return
    running = true
    // Steps that arrive in the same turn of the loop join the first batch.
    await Promise.resolve()
    await seat.begin()
    for (;;) {
      await runBatch(takeBatch())
      if (queue.length === 0) break
      await seat.next()
    }
    seat.end()
    running = false
  }

  return {
    engine: runner.engine,
    weightBytes: runner.weightBytes,
    moved: runner.moved,
    openCache: (capacity, part) => runner.openCache(capacity, part),
    closeCache: (cache) => runner.closeCache(cache),
    run: (step) =>
      new Promise<StepRun>((resolve, reject) => {
        queue.push({ step, rows: rowsOf(step, runner.config), sinceMs: ports.clock.now(), resolve, reject })
        void pump()
      }),
    close: () => runner.close(),
  }
}
