/** The wasm engine against the contract suite, with one thread and with three, more than two cores have. Two: test/integration/exactness*. @module */
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { engineSuite } from '../../contract/engine-suite.ts'

for (const threads of [1, 3]) {
  const engine = createNodeWasmEngine({ threads, bytesPerThread: 1 })
  engineSuite({ name: `wasm engine, threads: ${threads}`, create: () => engine })
}
