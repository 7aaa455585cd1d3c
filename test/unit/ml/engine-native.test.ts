/**
 * The native engine against the contract suite, on every set of instructions that this processor has; on the best with
 * more threads than two cores have. Rings: test/integration/exactness*.
 * @module
 */
import { describe } from 'vitest'
import { createNodeNativeEngine } from '../../../src/app/native-engine.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { hasNativeEngine, nativeInstructions } from '../../contract/native-binding.ts'

describe.skipIf(!hasNativeEngine)('with the addon', () => {
  for (const [index, instructions] of nativeInstructions.entries()) {
    const engine = createNodeNativeEngine({ instructions, threads: index === 0 ? 3 : 1, bytesPerThread: 1 })
    engineSuite({ name: `native engine, ${instructions}`, create: () => engine, length: index === 0 ? 66 : 8 })
  }
})
