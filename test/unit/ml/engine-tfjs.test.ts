/** The tfjs engine on the backends that every machine has: near the reference with the same weights as f32. @module */
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { engineSuite } from '../../contract/engine-suite.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5

const { tf, backend } = await openTfjs('wasm')
engineSuite({ name: 'tfjs engine, wasm', create: () => createTfjsEngine(tf, { backend }), length: 12, bound: BOUND })

test('without a device there is no webgpu backend', async () => {
  await expect(openTfjs('webgpu')).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
})

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

const hasTensorflow = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'].some(isInstalled)

test.skipIf(hasTensorflow)('without the packages of TensorFlow the refusal names them', async () => {
  const refusal = expect(openTfjs('tensorflow')).rejects
  await refusal.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    message: expect.stringContaining('npm install @tensorflow/tfjs-node-gpu@4.22.0'),
  })
})
