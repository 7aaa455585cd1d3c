/**
 * The native engine: exact-1 by the kernels of native/ on the instructions of this processor, in an addon that the caller
 * has loaded.
 * Spec: docs/spec/numerics.md; kernels and threads: native/cpu/.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import { type Engine, EngineError, type StageOptions } from './engine.ts'
import { createNativeStage, giveNativeStage, type NativeStage } from './native-stage.ts'
import type { NativeBinding } from './native-types.ts'

export interface NativeEngineOptions {
  readonly binding: NativeBinding
  /** A name of `binding.instructions`; default the best that this processor has and that compute right on it. */
  readonly instructions?: string | undefined
  /** Threads that compute, the caller's included; 1 … ENGINE_LIMITS.wasmThreadsMax. */
  readonly threads: number
  /** Weight bytes × rows of a layer that are worth one more thread; the bits do not depend on it. */
  readonly bytesPerThread?: number | undefined
}

export interface NativeEngine extends Engine {
  readonly name: 'native'
  createStage(options: StageOptions): NativeStage
  /** As createStage, for another thread of this process: the number is for its takeNativeStage. */
  giveStage(options: StageOptions): number
}

/** What ends a phase costs a microsecond when cores are free, and a layer has ten. */
export const NATIVE_BYTES_PER_THREAD = 1_048_576

/** Throws ENGINE_UNAVAILABLE where the processor lacks the instructions, or computes other numbers with them. */
export function createNativeEngine(options: NativeEngineOptions): NativeEngine {
  const { binding, threads, bytesPerThread = NATIVE_BYTES_PER_THREAD } = options
  assert(Number.isInteger(threads) && threads >= 1 && threads <= ENGINE_LIMITS.wasmThreadsMax, 'threads are in range')
  const instructions = options.instructions ?? bestInstructions(binding)
  if (binding.instructions[instructions] !== 1) {
    throw new EngineError(
      'ENGINE_UNAVAILABLE',
      `This processor does not run the native engine's ${instructions} kernels.`,
    )
  }
  if (options.instructions !== undefined && binding.check(instructions) !== 1) {
    throw computesOther(instructions)
  }
  const all = { binding, instructions, threads, bytesPerThread }
  return {
    name: 'native',
    createStage: (stage) => createNativeStage({ ...stage, ...all }),
    giveStage: (stage) => giveNativeStage({ ...stage, ...all }),
  }
}

/** The first usable ones that compute exact-1 on this processor. Throws ENGINE_UNAVAILABLE where none does. */
export function bestInstructions(binding: NativeBinding): string {
  const usable = Object.keys(binding.instructions).filter((name) => binding.instructions[name] === 1)
  const best = usable.find((name) => binding.check(name) === 1)
  if (best === undefined) throw computesOther(usable.join(', '))
  return best
}

function computesOther(instructions: string): EngineError {
  return new EngineError(
    'ENGINE_UNAVAILABLE',
    `The native engine's ${instructions} kernels do not compute exact-1 on this processor. Please report it, with the output of \`dllm doctor\`.`,
  )
}
