/**
 * The wasm engine: exact-1 by the kernels of native/, on several threads over one shared memory. Node types are not
 * known here: the caller hands over the module's bytes and a way to start a thread.
 * Spec: docs/spec/numerics.md; threads: native/threads.h.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import { type Engine, EngineError } from './engine.ts'
import type { StartWasmHelper } from './wasm-helper.ts'
import { WasmStage } from './wasm-stage.ts'
import { type WasmModule, wasmHost } from './wasm-types.ts'

export interface WasmEngineOptions {
  /** native/exact1.wasm */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Threads that compute, the caller's included; 1 … ENGINE_LIMITS.wasmThreadsMax. */
  readonly threads: number
  /** Weight bytes × rows of a layer that are worth one more thread; the bits do not depend on it. */
  readonly bytesPerThread?: number | undefined
  /** Called threads − 1 times per stage. */
  readonly startHelper: StartWasmHelper
  /** How long a new stage waits for its helpers; they may join later. */
  readonly helperStartMs?: number
}

/**
 * What ends a phase costs some 10 µs when cores are short, and a layer has ten: with less work than this the thread that calls
 * is done before others could help (measured with q8 models of 0.5 to 12 MB per layer).
 */
const BYTES_PER_THREAD = 4_194_304

/** Throws ENGINE_UNAVAILABLE where WebAssembly, its threads or relaxed SIMD are missing. */
export function createWasmEngine(options: WasmEngineOptions): Engine {
  const { bytes, threads, startHelper } = options
  const { bytesPerThread = BYTES_PER_THREAD, helperStartMs = ENGINE_LIMITS.helperStartMs } = options
  assert(Number.isInteger(threads) && threads >= 1 && threads <= ENGINE_LIMITS.wasmThreadsMax, 'threads are in range')
  const module = compile(bytes)
  return {
    name: 'wasm',
    createStage: (stage) => new WasmStage({ ...stage, module, threads, bytesPerThread, startHelper, helperStartMs }),
  }
}

function compile(bytes: Uint8Array<ArrayBuffer>): WasmModule {
  const host = wasmHost()
  if (!host.validate(bytes)) {
    throw new EngineError(
      'ENGINE_UNAVAILABLE',
      'This runtime cannot run the wasm engine: WebAssembly threads or relaxed SIMD are missing. ' +
        'Use Node 22.12 or later without flags that turn them off, or the reference engine.',
    )
  }
  return new host.Module(bytes)
}
