/**
 * The wasm engine against the contract suite, with one thread and with three, more than two cores have. How threads share work is the same in every
 * format: one of them is enough there. Two threads: test/integration/exactness*.
 * @module
 */
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { FORMATS } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'

for (const threads of [1, 3]) {
  const engine = createNodeWasmEngine({ threads, bytesPerThread: 1 })
  const formats = threads === 1 ? FORMATS : (['q4'] as const)
  engineSuite({ name: `wasm engine, threads: ${threads}`, create: () => engine, formats })
}
