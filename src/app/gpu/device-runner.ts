/**
 * A stage on a device as a BatchRunner, in the calling thread: waiting for the device blocks nobody, recording its commands does for a moment.
 * Miners have it in a worker (app/gpu/gpu-worker.ts).
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { DeviceEngineName, DeviceStage } from '../../ml/engine/engine.ts'
import type { BatchRunner, EngineDevice } from '../engine-host.ts'

export interface DeviceParts {
  readonly engine: DeviceEngineName
  readonly device: EngineDevice
  readonly stage: DeviceStage
}

export function createDeviceRunner({ engine, device, stage }: DeviceParts, { clock }: { clock: Clock }): BatchRunner {
  return {
    ...{ engine, device, weightBytes: stage.weightBytes, config: stage.config, lost: stage.lost },
    openCache: async (capacity, part) => stage.openCache(capacity, part),
    closeCache: async (cache) => stage.closeCache(cache),
    shareCache: async (from, to, rows) => stage.shareCache(from, to, rows),
    run: async (batch) => {
      const startedMs = clock.now()
      const outputs = await stage.run(batch)
      return { outputs, computeMs: milliseconds(clock.now() - startedMs) }
    },
    close: () => stage.close(),
  }
}
