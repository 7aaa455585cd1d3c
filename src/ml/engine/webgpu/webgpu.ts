/**
 * The webgpu engine: exact-1 on a GPU, in WGSL. The device comes from outside (src/app/gpu); several stages may share one.
 * Spec: docs/spec/gpu.md §8.
 * @module
 */
import { type DeviceEngine, type DeviceStage, EngineError, type StageOptions } from '../engine.ts'
import { refuseExtras } from '../step-check.ts'
import { createDeviceCaches } from './device-caches.ts'
import { createDeviceMemory } from './device-memory.ts'
import type { KernelOptions } from './kernel.ts'
import { createKernelSet, type KernelSet } from './kernels.ts'
import { createPasses } from './passes.ts'
import { recordProgram } from './program.ts'
import { WebgpuStage } from './webgpu-stage.ts'

export interface WebgpuEngineOptions extends KernelOptions {
  readonly device: GPUDevice
  /** Bytes of a buffer that a kernel may see, at most. Default: what the device allows. */
  readonly bindingBytesMax?: number
}

/** Rows of a pass at the most: what scratch is sized for. */
const ROWS_MAX = 64
const TILE = 8

export function createWebgpuEngine(options: WebgpuEngineOptions): DeviceEngine {
  const { device } = options
  const kernels = createKernelSet(device, options)
  const lost = whenLost(device)
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits
  const bytesMax = options.bindingBytesMax ?? Math.min(maxStorageBufferBindingSize, maxBufferSize)
  // Sizes are rounded up; some devices' bound is no multiple of anything.
  const bindingBytesMax = bytesMax - (bytesMax % 256)
  const parts = { device, kernels, bindingBytesMax, tile: options.tile ?? TILE, lost }
  let last: Promise<unknown> = Promise.resolve()
  return {
    name: 'webgpu',
    numbers: 'exact',
    async createStage(stage) {
      refuseExtras(stage.config, 'webgpu')
      // One after the other, so that of two that do not fit together the first does.
      const created = last.then(() => createStage({ ...stage, ...parts }))
      last = created.catch(() => undefined)
      return created
    },
  }
}

interface CreateOptions extends StageOptions {
  readonly device: GPUDevice
  readonly kernels: KernelSet
  readonly tile: number
  readonly bindingBytesMax: number
  readonly lost: Promise<EngineError>
}

async function createStage(options: CreateOptions): Promise<DeviceStage> {
  const { device, kernels, config, range, bindingBytesMax, tile, lost } = options
  const memory = createDeviceMemory(device)
  const logitRowsMax = range.hasHead ? Math.floor(bindingBytesMax / (config.vocabularySize * 4)) : ROWS_MAX
  const rowsMax = Math.max(Math.min(ROWS_MAX, logitRowsMax), 1)
  const program = await recordProgram({ ...options, memory, source: options.weights, rowsMax, tile }).catch(
    (cause: unknown) => {
      memory.freeAll()
      throw cause
    },
  )
  const caches = createDeviceCaches({
    memory,
    config,
    range,
    layout: kernels.cacheLayout,
    bindingBytesMax,
    rowsMax,
  })
  const passes = createPasses({ memory, config, range, program })
  return new WebgpuStage({ ...options, memory, caches, passes, weightBytes: program.weightBytes, lost })
}

/** A command that the device refuses computes garbage in silence, so that such a device is lost as well. */
function whenLost(device: GPUDevice): Promise<EngineError> {
  return new Promise((resolve) => {
    const lose = (reason: string) =>
      resolve(new EngineError('ENGINE_UNAVAILABLE', `The GPU is lost: ${reason}`, { details: { reason } }))
    void device.lost.then(({ reason, message }) => reason === 'destroyed' || lose(message))
    device.addEventListener('uncapturederror', ({ error }) => lose(error.message))
  })
}
