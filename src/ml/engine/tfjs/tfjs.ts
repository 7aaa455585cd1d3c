/**
 * The tfjs engine: the Llama family in TF.js operations, on whatever backend of TF.js is at hand. Its numbers are of the float class:
 * near those of exact-1, not equal to them. Knows no files, threads or devices: the library comes with its backend open.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import type { DeviceEngine, EngineError } from '../engine.ts'
import { refuseExtras } from '../step-check.ts'
import { registerPackedKernels } from './packed-kernels.ts'
import type { Tensorflow } from './tensorflow.ts'
import { loadTfjsStage } from './tfjs-stage.ts'

export interface TfjsEngineOptions {
  /** Of TF.js, open: cpu, wasm, webgpu or tensorflow. */
  readonly backend: string
  /** Bytes that one tensor of weights may have; default: no bound. A webgpu device binds maxStorageBufferBindingSize at once. */
  readonly tensorBytesMax?: number | undefined
  /** Resolves when the backend's device is gone. Default: it stays. */
  readonly lost?: Promise<EngineError> | undefined
}

export function createTfjsEngine(tf: Tensorflow, options: TfjsEngineOptions): DeviceEngine {
  const { backend, tensorBytesMax = Number.MAX_SAFE_INTEGER } = options
  const lost = options.lost ?? new Promise<EngineError>(() => undefined)
  if (backend === 'webgpu') registerPackedKernels(tf)
  return {
    name: 'tfjs',
    numbers: 'float',
    async createStage(stage) {
      refuseExtras(stage.config, 'tfjs')
      return loadTfjsStage(stage, { tf, backend, tensorBytesMax, lost })
    },
  }
}
