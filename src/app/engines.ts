/**
 * Engines by name. Each is loaded when it is asked for, so that a command pays for one only.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import { codeOf } from '../base/error.ts'
import type { Engine, EngineName } from '../ml/engine/engine.ts'
import type { NativeEngine } from '../ml/engine/native.ts'
import type { NodeWasmOptions } from './wasm-engine.ts'

/** A name, or the fastest that this machine runs. */
export type EngineWish = EngineName | 'auto'

/** Names for flags, the default first. */
export const ENGINE_WISHES: readonly EngineWish[] = ['auto', 'native', 'wasm', 'reference']

/** Options of engines that have them. Throws ENGINE_UNAVAILABLE where this machine or this build cannot run it. */
export async function createEngine(wish: EngineWish, options: NodeWasmOptions = {}): Promise<Engine | NativeEngine> {
  switch (wish) {
    case 'auto':
      return createEngine('native', options).catch((error: unknown) => {
        if (codeOf(error) !== 'ENGINE_UNAVAILABLE') throw error
        return createEngine('wasm', options)
      })
    case 'reference': {
      const { createReferenceEngine } = await import('../ml/engine/reference.ts')
      return createReferenceEngine()
    }
    case 'native': {
      const { createNodeNativeEngine } = await import('./native-engine.ts')
      return createNodeNativeEngine(options)
    }
    case 'wasm': {
      const { createNodeWasmEngine } = await import('./wasm-engine.ts')
      return createNodeWasmEngine(options)
    }
    default:
      return unreachable(wish)
  }
}
