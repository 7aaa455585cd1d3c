/**
 * Engines by name. Each is loaded when it is asked for, so that a command pays for one only.
 * @module
 */
import { type Engine, EngineError, type EngineName } from '../ml/engine/engine.ts'

/** Names for flags, the default first. */
export const ENGINE_NAMES: readonly EngineName[] = ['wasm', 'reference']

export interface EngineOptions {
  /** Threads of engines that have them; default: the engine's own choice. */
  readonly threads?: number | undefined
}

/** Throws ENGINE_UNAVAILABLE where this machine or this build cannot run it. */
export async function createEngine(name: EngineName, _options: EngineOptions = {}): Promise<Engine> {
  switch (name) {
    case 'reference': {
      const { createReferenceEngine } = await import('../ml/engine/reference.ts')
      return createReferenceEngine()
    }
    case 'wasm':
      throw new EngineError('ENGINE_UNAVAILABLE', 'The wasm engine is not in this build. Use --engine reference.')
  }
}
