/**
 * A BatchRunner over a stage of the native engine that is this process's own (its weights were loaded by a worker). A batch that is short, as far as
 * can be told from those before it, is computed in this thread, where its message was read: no other thread has to be woken, which costs more than
 * a small stage's step. All others are computed by a thread of Node's pool, so that the event loop is not held.
 * Decision: docs/adr/0014-short-steps.md.
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { HouseError, messageOf } from '../base/error.ts'
import type { Clock } from '../base/ports.ts'
import { EngineError, type StepInput, type StepOutput } from '../ml/engine/engine.ts'
import type { NativeStage } from '../ml/engine/native-stage.ts'
import { createBatchLengths, createBatchSizes } from './batch-lengths.ts'
import type { BatchRunner } from './engine-host.ts'
import { yieldToEvents } from './system.ts'

interface Run {
  readonly outputs: StepOutput[]
  readonly computeMs: Milliseconds
}

/** `stage`: closed with this one. */
export function createNativeRunner(stage: NativeStage, { clock }: { readonly clock: Clock }): BatchRunner {
  const order = createOrder()
  const sizes = createBatchSizes(stage.config, stage.range)
  const lengths = createBatchLengths()
  /** Whether events have had their turn since a batch was computed in this thread. */
  let hasTurned = true
  const runHere = (batch: readonly StepInput[]): Run => {
    hasTurned = false
    void yieldToEvents().then(() => {
      hasTurned = true
    })
    const startedMs = clock.now()
    const outputs = stage.run(batch)
    return { outputs, computeMs: milliseconds(clock.now() - startedMs) }
  }
  const runElsewhere = async (batch: readonly StepInput[]): Promise<Run> => {
    const { outputs, computeMs } = await stage.runLater(batch)
    return { outputs, computeMs: milliseconds(computeMs) }
  }
  const run = (batch: readonly StepInput[]): Run | Promise<Run> => {
    const size = sizes.of(batch)
    const noted = (done: Run): Run => {
      const isWhole = done.outputs.every(({ type }) => type !== 'failed')
      lengths.note(size, done.computeMs, isWhole)
      return done
    }
    if (!lengths.isShort(size)) return runElsewhere(batch).then(noted)
    return hasTurned ? noted(runHere(batch)) : yieldToEvents().then(() => noted(runHere(batch)))
  }
  const tidy = createTidying(() => order.after(() => stage.tidy()))
  return {
    ...{ engine: 'native', weightBytes: stage.weightBytes, config: stage.config, lost: order.lost },
    openCache: (capacity, part) =>
      order.after(() => {
        const cache = stage.openCache(capacity, part)
        sizes.opened(cache, part)
        return cache
      }),
    shareCache: (from, to, rows) => order.after(() => stage.shareCache(from, to, rows)),
    closeCache: (cache) =>
      order.after(() => {
        stage.leaveCache(cache)
        sizes.closed(cache)
        tidy()
      }),
    run: (batch) => order.after(() => run(batch)),
    close: () => order.last(() => stage.closeLater()),
  }
}

/** Memory goes back piece by piece, between which batches and events have their turn; `piece` says whether there are more. */
function createTidying(piece: () => Promise<boolean>): () => void {
  let isWanted = false
  let isRunning = false
  const run = async (): Promise<void> => {
    isRunning = true
    while (isWanted) {
      await yieldToEvents()
      isWanted = false
      if (await piece()) isWanted = true
    }
    isRunning = false
  }
  return () => {
    isWanted = true
    // After the engine's end nothing is left to give back.
    if (!isRunning) run().catch(() => undefined)
  }
}

/** One piece of work after the other: one thread at a time may use a stage. */
interface Order {
  /** Rejects with the work's expected failures, and with ENGINE_UNAVAILABLE after a bug or the end. */
  after<T>(work: () => T | Promise<T>): Promise<T>
  last(work: () => Promise<void>): Promise<void>
  /** As BatchRunner. */
  readonly lost: Promise<EngineError>
}

function createOrder(): Order {
  const loss = Promise.withResolvers<EngineError>()
  let lost: EngineError | undefined
  let latest: Promise<unknown> = Promise.resolve()
  /** Pieces of work that are not over. */
  let pending = 0
  let ended: Promise<void> | undefined
  const fail = (error: unknown): never => {
    if (error instanceof HouseError) throw error
    lost = new EngineError('ENGINE_UNAVAILABLE', `The engine stopped: ${messageOf(error)}`, { cause: error })
    loss.resolve(lost)
    throw lost
  }
  const over = (): void => {
    pending--
  }
  const begin = async <T>(work: () => T | Promise<T>): Promise<T> => {
    // At once where nothing is under way: a step has the next stage waiting.
    if (pending++ > 0 || ended) await latest
    if (lost) throw lost
    try {
      const done = work()
      return done instanceof Promise ? await done : done
    } catch (error) {
      return fail(error)
    }
  }
  const then = <T>(work: () => T | Promise<T>): Promise<T> => {
    const told = begin(work)
    latest = told.then(over, over)
    return told
  }
  return {
    lost: loss.promise,
    after: then,
    last(work) {
      ended ??= latest.then(() => {
        lost ??= new EngineError('ENGINE_UNAVAILABLE', 'The engine stopped: it was closed.')
        return work()
      })
      return ended
    },
  }
}
