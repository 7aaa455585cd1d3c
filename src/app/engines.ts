/**
 * Engines by name. Each is loaded when it is asked for, so that a command pays for one only.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { unreachable } from '../base/assert.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import type { Engine, EngineName } from '../ml/engine/engine.ts'

/** Names for flags, the default first. */
export const ENGINE_NAMES: readonly EngineName[] = ['wasm', 'reference']

/** The committed module: this file lies two folders below the package's root, in src and in dist. */
const WASM_MODULE = new URL('../../native/exact1.wasm', import.meta.url)

export interface EngineOptions {
  /** Threads of engines that have them, clipped to what the engine takes; default: one per core. */
  readonly threads?: number | undefined
}

/** Throws ENGINE_UNAVAILABLE where this machine or this build cannot run it. */
export async function createEngine(name: EngineName, options: EngineOptions = {}): Promise<Engine> {
  switch (name) {
    case 'reference': {
      const { createReferenceEngine } = await import('../ml/engine/reference.ts')
      return createReferenceEngine()
    }
    case 'wasm': {
      const [{ createWasmEngine }, { startWasmHelper }, bytes] = await Promise.all([
        import('../ml/engine/wasm.ts'),
        import('./wasm-helper-thread.ts'),
        readFile(WASM_MODULE),
      ])
      const threads = Math.min(options.threads ?? availableParallelism(), ENGINE_LIMITS.wasmThreadsMax)
      return createWasmEngine({ bytes: new Uint8Array(bytes), threads, startHelper: startWasmHelper })
    }
    default:
      return unreachable(name)
  }
}
