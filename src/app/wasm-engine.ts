/**
 * The wasm engine on Node: its module from native/, its helper threads as worker threads.
 * @module
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { ENGINE_LIMITS } from '../base/limits.ts'
import { type Engine, EngineError } from '../ml/engine/engine.ts'
import { createWasmEngine } from '../ml/engine/wasm.ts'
import { startWasmHelper } from './wasm-helper-thread.ts'

/** The same path from src/app and from dist/app. */
const MODULE = new URL('../../native/exact1.wasm', import.meta.url)

export interface NodeWasmOptions {
  /** All that compute, clipped to what the engine takes; default one per core. */
  readonly threads?: number | undefined
  /** See WasmEngineOptions; tests pass 1, so that every thread takes part in the smallest step. */
  readonly bytesPerThread?: number | undefined
}

/** Throws ENGINE_UNAVAILABLE where it cannot run. */
export function createNodeWasmEngine(options: NodeWasmOptions): Engine {
  const { threads = availableParallelism(), bytesPerThread } = options
  const bounded = Math.min(Math.max(threads, 1), ENGINE_LIMITS.wasmThreadsMax)
  return createWasmEngine({ bytes: readModule(), threads: bounded, bytesPerThread, startHelper: startWasmHelper })
}

function readModule(): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(MODULE))
  } catch (cause) {
    throw new EngineError('ENGINE_UNAVAILABLE', 'native/exact1.wasm is missing; install this program again.', { cause })
  }
}
