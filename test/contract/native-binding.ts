/**
 * The addon of the native engine for tests, which are skipped where nobody has built it for these sources.
 * @module
 */
import { loadNativeBinding } from '../../src/app/native-engine.ts'
import type { NativeBinding } from '../../src/ml/engine/native-types.ts'

function findBinding(): NativeBinding | undefined {
  try {
    return loadNativeBinding()
  } catch (error) {
    console.log(`skipped: ${String(error)}`)
    return undefined
  }
}

export const nativeBinding: NativeBinding | undefined = findBinding()
export const hasNativeEngine: boolean = nativeBinding !== undefined

/** Names of instructions that this processor has, the best first. */
export const nativeInstructions: readonly string[] = Object.keys(nativeBinding?.instructions ?? {}).filter(
  (name) => nativeBinding?.instructions[name] === 1,
)
