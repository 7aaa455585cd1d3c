/**
 * The native engine against the contract suite, on every set of instructions that this processor has: whole on the best, with
 * more threads than two cores have; in short sessions of the integer formats on the others. Rings: test/integration/exactness*.
 * @module
 */
import { describe } from 'vitest'
import { createNodeNativeEngine } from '../../../src/app/native-engine.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { hasNativeEngine, nativeInstructions } from '../../contract/native-binding.ts'

describe.skipIf(!hasNativeEngine)('with the addon', () => {
  const [best, ...others] = nativeInstructions
  if (best !== undefined) {
    const engine = createNodeNativeEngine({ instructions: best, threads: 3, bytesPerThread: 1 })
    engineSuite({ name: `native engine, ${best}`, create: () => engine, length: 66 })
  }
  for (const instructions of others) {
    const engine = createNodeNativeEngine({ instructions, threads: 1 })
    const formats = ['q8', 'q4'] as const
    engineSuite({ name: `native engine, ${instructions}`, create: () => engine, length: 8, formats })
  }
})
