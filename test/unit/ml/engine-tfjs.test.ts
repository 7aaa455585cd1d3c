/** The tfjs engine on the backends that every machine has: near the reference with the same weights as f32. @module */
import { openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { engineSuite } from '../../contract/engine-suite.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5

const { tf, backend } = await openTfjs('wasm')
engineSuite({ name: 'tfjs engine, wasm', create: () => createTfjsEngine(tf, { backend }), length: 12, bound: BOUND })
