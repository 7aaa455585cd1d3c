/**
 * An engine stage behind an asynchronous door: steps of many sessions queue up, and what waits when the
 * engine is free runs as one batch (batch-invariant by the specification; what goes first: step-queue.ts). The stage itself may live in this
 * thread (tests, probes) or in a worker (app/engine-worker.ts).
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { codeOf } from '../base/error.ts'
import type { Clock } from '../base/ports.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { CacheId, DeviceEngineName, EngineError, EngineName, StepInput, StepOutput } from '../ml/engine/engine.ts'
import type { LayerRange } from '../ml/tensors.ts'
import type { EngineSeat } from './posts/engine-turns.ts'
import { createStepGathering } from './step-gathering.ts'
import { createStepQueue, type Piece, type QueuedStep, queuedStep } from './step-queue.ts'

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
  /** As Stage.shareCache. */
  shareCache(from: CacheId, to: CacheId, rows: number): Promise<void>
  run(batch: readonly StepInput[]): Promise<{ outputs: StepOutput[]; computeMs: Milliseconds }>
  /** Resolves, with the reason, when the engine is gone although nobody closed it; else never. */
  readonly lost: Promise<EngineError>
  /** Resolves when another engine is about to take over, which will compute again all that is in caches. Default: never. */
  readonly leaving?: Promise<void> | undefined
  /** Resolves when another engine has taken over, of another speed: with that one. Default: never. */
  readonly moved?: Promise<BatchRunner['engine']> | undefined
  close(): Promise<void>
}

export interface StepRun {
  readonly output: StepOutput
  /** Time in the engine, in all its batches, shared with the rest of them. */
  readonly computeMs: Milliseconds
  /** Time in the queue before it. */
  readonly queueMs: Milliseconds
}

export interface EngineHost {
  readonly engine: EngineName | DeviceEngineName
  readonly weightBytes: number
  /** As BatchRunner. */
  readonly leaving?: BatchRunner['leaving']
  readonly moved?: BatchRunner['moved']
  /** `part` of the engine's segments (Stage.openCache), default all. Throws ENGINE_OUT_OF_MEMORY. */
  openCache(capacity: number, part?: LayerRange): Promise<CacheId>
  closeCache(cache: CacheId): Promise<void>
  /** As Stage.shareCache; no step of either cache may be under way. */
  shareCache(from: CacheId, to: CacheId, rows: number): Promise<void>
  /** Where no memory is left for a cache, this is asked to give some back, until it says that it has none. One at most. */
  whenFull(giveBack: () => Promise<boolean>): void
  run(step: StepInput): Promise<StepRun>
  close(): Promise<void>
}

interface Waiting extends QueuedStep {
  readonly sinceMs: Milliseconds
  /** When its first piece began. */
  startedMs: Milliseconds | undefined
  readonly resolve: (run: StepRun) => void
  readonly reject: (error: unknown) => void
}

/** Of an engine that is this process's only one. */
const ALONE: EngineSeat = { begin: () => undefined, next: () => undefined, end: () => undefined }

/** Batches what waits (step-queue.ts). `seat`: of an engine beside others. */
export function createEngineHost(runner: BatchRunner, ports: { clock: Clock }, seat: EngineSeat = ALONE): EngineHost {
  const queue = createStepQueue<Waiting>(runner.config)
  const gathering = createStepGathering(ports.clock)
  let running = false
  let giveBack = async (): Promise<boolean> => false

  const openCache = async (capacity: number, part?: LayerRange): Promise<CacheId> => {
    for (;;) {
      try {
        return await runner.openCache(capacity, part)
      } catch (error) {
        if (codeOf(error) !== 'ENGINE_OUT_OF_MEMORY' || !(await giveBack())) throw error
      }
    }
  }

  const runBatch = async (batch: readonly Piece<Waiting>[]): Promise<void> => {
    const nowMs = ports.clock.now()
    for (const { queued } of batch) queued.startedMs ??= nowMs
    try {
      const { outputs, computeMs } = await runner.run(batch.map(({ input }) => input))
      gathering.took(computeMs)
      for (const [index, piece] of batch.entries()) {
        const output = queue.finish(piece, outputs[index]!, computeMs)
        if (output !== undefined) piece.queued.resolve(runOf(piece.queued, output))
      }
    } catch (error) {
      for (const { queued } of batch) {
        queue.drop(queued)
        queued.reject(error)
      }
    }
  }

  const waiting = (): number => queue.length
  const pump = async (): Promise<void> => {
    if (running) return
    running = true
    // Steps that arrive in the same turn of the loop join the first batch.
    await Promise.resolve()
    // Who need not wait goes on at once, for a step of which the next stage waits.
    const gathered = gathering.pause(waiting)
    if (gathered) await gathered
    const turn = seat.begin()
    if (turn) await turn
    for (;;) {
      await runBatch(queue.take())
      if (queue.length === 0) break
      await gathering.pause(waiting)
      await seat.next()
    }
    seat.end()
    running = false
  }

  return {
    engine: runner.engine,
    weightBytes: runner.weightBytes,
    leaving: runner.leaving,
    moved: runner.moved,
    openCache,
    closeCache: (cache) => {
      gathering.left(cache)
      return runner.closeCache(cache)
    },
    shareCache: (from, to, rows) => runner.shareCache(from, to, rows),
    whenFull: (next) => {
      giveBack = next
    },
    run: (step) =>
      new Promise<StepRun>((resolve, reject) => {
        const sinceMs = ports.clock.now()
        gathering.came(step.cache)
        queue.add({ ...queuedStep(step, runner.config), sinceMs, startedMs: undefined, resolve, reject })
        void pump()
      }),
    close: () => runner.close(),
  }
}

function runOf({ computeMs, sinceMs, startedMs }: Waiting, output: StepOutput): StepRun {
  return { output, computeMs, queueMs: milliseconds((startedMs ?? sinceMs) - sinceMs) }
}
