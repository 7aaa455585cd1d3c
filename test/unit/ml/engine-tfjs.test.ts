/** The tfjs engine on the backends that every machine has: near the reference with the same weights as f32. @module */
import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { rowsOf, step, valuesOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5

const { tf, backend } = await openTfjs('wasm')
engineSuite({ name: 'tfjs engine, wasm', create: () => createTfjsEngine(tf, { backend }), length: 12, bound: BOUND })

test('a stage leaves nothing behind, and sessions hold no more after a hundred steps than their positions take', async () => {
  const unused = tf.memory().numTensors
  const config = smallConfig({ slidingWindow: 9 })
  const weights = randomWeights({ config, format: 'q4', seed: 1 })
  const range = { ...wholeRange(config), hasEmbedding: false }
  const stage = await createTfjsEngine(tf, { backend }).createStage({ config, range, weights, cacheBytesMax: 1 << 24 })
  const cache = stage.openCache(128)
  const run = async (position: number, values: Float32Array) =>
    (await stage.run([step(cache, position, { type: 'hidden', values }, 'last')]))[0]
  // Two blocks of positions, and a failure among the steps.
  valuesOf(await run(0, rowsOf(config, 100)))
  const { numTensors, numBytes } = tf.memory()
  for (let position = 100; position < 120; position++) valuesOf(await run(position, rowsOf(config, 1, position)))
  expect(await run(90, rowsOf(config, 1).fill(3e38))).toMatchObject({ type: 'failed' })
  expect(tf.memory()).toMatchObject({ numTensors, numBytes })
  stage.closeCache(cache)
  valuesOf((await stage.run([step(stage.openCache(9), 0, { type: 'hidden', values: rowsOf(config, 3) })]))[0])
  await stage.close()
  expect(tf.memory().numTensors).toBe(unused)
})

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
