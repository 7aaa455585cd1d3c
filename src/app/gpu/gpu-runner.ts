/**
 * A BatchRunner on a GPU, in a worker thread of its own (app/gpu/gpu-worker.ts).
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { BatchRunner } from '../engine-host.ts'
import type { GpuWorkerInit } from '../worker-messages.ts'
import { runnerOn } from '../worker-runner.ts'

/** Beside this file, with its ending: .ts from sources, .js from dist. */
const ENTRY = new URL(`./gpu-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)

/** Opens the GPU, tests it and loads the segments. @throws GpuError, EngineError, ModelError, as its worker. */
export async function createGpuRunner(init: GpuWorkerInit): Promise<BatchRunner> {
  const worker = new Worker(ENTRY, { workerData: init })
  return runnerOn(worker, init.model.manifest.config)
}
