/**
 * A BatchRunner on a GPU, in a worker thread of its own; and the one that outlives that GPU, with the wasm engine for spare.
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { EngineError } from '../../ml/engine/engine.ts'
import type { BatchRunner } from '../engine-host.ts'
import type { GpuWorkerInit } from '../worker-messages.ts'
import { createWorkerRunner, runnerOn, type WorkerOptions } from '../worker-runner.ts'
import { createLastingRunner } from './lasting-runner.ts'

/** Beside this file, with its ending: .ts from sources, .js from dist. */
const ENTRY = new URL(`./gpu-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)

/** Opens the GPU, tests it and loads the segments. @throws GpuError, EngineError, ModelError, as its worker. */
export async function createGpuRunner(init: GpuWorkerInit): Promise<BatchRunner> {
  const worker = new Worker(ENTRY, { workerData: init })
  return runnerOn(worker, { config: init.model.manifest.config })
}

export interface LastingGpuOptions extends WorkerOptions {
  readonly gpu: GpuWorkerInit['gpu']
  /** Told once, when the GPU is gone; sessions go on with the engine of these options. */
  readonly onLost: (why: EngineError) => void
}

/** @throws as createGpuRunner. */
export async function createLastingGpuRunner({ gpu, onLost, ...options }: LastingGpuOptions): Promise<BatchRunner> {
  const { home, model, firstSegment, lastSegment, cacheBytesMax } = options
  const device = await createGpuRunner({ home, model, firstSegment, lastSegment, cacheBytesMax, gpu })
  return createLastingRunner(device, { openSpare: () => createWorkerRunner(options), onLost })
}
