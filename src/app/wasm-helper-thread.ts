/**
 * Starts helper threads of the wasm engine (src/ml/engine/wasm-helper.ts) as Node worker threads.
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { WasmHelper, WasmHelperInit } from '../ml/engine/wasm-helper.ts'

/** This file is .ts in the sources and .js in dist, and so is the entry beside it. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? 'wasm-helper-entry.ts' : 'wasm-helper-entry.js',
  import.meta.url,
)

/** A thread that sleeps between jobs and does not keep the process alive. */
export function startWasmHelper(init: WasmHelperInit): WasmHelper & { readonly worker: Worker } {
  // Flags of the parent's own command line (a loader, an inspector) do not concern this thread.
  const worker = new Worker(ENTRY, { workerData: init, execArgv: [] })
  worker.unref()
  return { worker, stop: () => void worker.terminate() }
}
