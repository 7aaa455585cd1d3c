/**
 * Engines by name. Each is loaded when it is asked for, so that a command pays for one only.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import type { Engine, EngineName } from '../ml/engine/engine.ts'
import type { NodeWasmOptions } from './wasm-engine.ts'

/** Names for flags, the default first. */
export const ENGINE_NAMES: readonly EngineName[] = ['wasm', 'reference']

/** Options of engines that have them. Throws ENGINE_UNAVAILABLE where this machine or this build cannot run it. */
export async function createEngine(name: EngineName, options: NodeWasmOptions = {}): Promise<Engine> {
  switch (name) {
    case 'reference': {
      const { createReferenceEngine } = await import('../ml/engine/reference.ts')
      return createReferenceEngine()
    }
    case 'wasm': {
      const { createNodeWasmEngine } = await import('./wasm-engine.ts')
      return createNodeWasmEngine(options)
    }
    default:
      return unreachable(name)
  }
}
