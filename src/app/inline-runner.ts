/**
 * A BatchRunner that computes in the calling thread: for tests, probes and one-process measurements.
 * It blocks the event loop while it computes; miners use app/worker-runner.ts.
 * @module
 */
import { milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import type { EngineName, Stage } from '../ml/engine/engine.ts'
import type { BatchRunner } from './engine-host.ts'

export function createInlineRunner(engine: EngineName, stage: Stage, ports: { clock: Clock }): BatchRunner {
  return {
    engine,
    weightBytes: stage.weightBytes,
    config: stage.config,
    openCache: async (capacity, part) => stage.openCache(capacity, part),
    closeCache: async (cache) => stage.closeCache(cache),
    shareCache: async (from, to, rows) => stage.shareCache(from, to, rows),
    run: async (batch) => {
      const startedMs = ports.clock.now()
      const outputs = stage.run(batch)
      return { outputs, computeMs: milliseconds(ports.clock.now() - startedMs) }
    },
    lost: new Promise(() => undefined),
    close: async () => stage.close(),
  }
}
