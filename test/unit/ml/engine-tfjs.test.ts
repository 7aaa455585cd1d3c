/** The tfjs engine on the backends that every machine has: near the reference with the same weights as f32. @module */
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { probeModel } from '../../../src/app/model-probe.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { EngineError } from '../../../src/ml/engine/engine.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import type { WeightSource } from '../../../src/ml/tensors.ts'
import { rowsOf, sameWithin, step, valuesOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5
/** Against weights in q8 whose activations exact-1 rounds. */
const EXACT_BOUND = 0.05

const { tf, backend } = await openTfjs('wasm')
engineSuite({
  name: 'tfjs engine, wasm',
  create: () => createTfjsEngine(tf, { backend }),
  length: 12,
  bound: BOUND,
  hasExtras: false,
})

test('on genesis it is as near to exact-1 as the rounding of activations lets it be, and mostly says the same', async () => {
  const model = openModelStore({ home: join(tmpdir(), 'no home of anybody') }).find('genesis')
  const tokens = Array.from({ length: 48 }, (_unused, at) => (at * 37) % 300)
  const probed = await Promise.all(
    [createTfjsEngine(tf, { backend }), createNodeWasmEngine({ threads: 1 })].map((engine) =>
      probeModel({ model, engine, tokens, chunk: 16 }, new AbortController().signal),
    ),
  )
  const [found, expected] = probed.map((list) => list.flatMap(({ logits }) => logits!))
  sameWithin(EXACT_BOUND)(Float32Array.from(found!), Float32Array.from(expected!))
  const agreeing = probed[0]!.filter(({ top }, at) => top[0]!.token === probed[1]![at]!.top[0]!.token)
  expect(agreeing.length).toBeGreaterThan(40)
})

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

test('after the device is lost a run rejects with the reason', async () => {
  const config = smallConfig({ layerCount: 1 })
  const range = wholeRange(config)
  const weights = randomWeights({ config, format: 'q8', seed: 1 })
  let lose: (error: EngineError) => void = () => undefined
  const lost = new Promise<EngineError>((resolve) => {
    lose = resolve
  })
  const stage = await createTfjsEngine(tf, { backend, lost }).createStage({
    config,
    range,
    weights,
    cacheBytesMax: 1 << 24,
  })
  const cache = stage.openCache(4)
  const run = () => stage.run([step(cache, 0, { type: 'tokens', tokens: Int32Array.of(1) })])
  valuesOf((await run())[0])
  const reason = new EngineError('ENGINE_UNAVAILABLE', 'The GPU fell off.')
  lose(reason)
  await expect(run()).rejects.toBe(reason)
  expect(await stage.lost).toBe(reason)
  await stage.close()
})

test('a stage that was closed computes nothing, and leaves nothing behind', async () => {
  const config = smallConfig({ layerCount: 1 })
  const options = { config, range: wholeRange(config), cacheBytesMax: 1 << 24 }
  const unused = tf.memory().numTensors
  const stage = await createTfjsEngine(tf, { backend }).createStage({
    ...options,
    weights: randomWeights({ config, format: 'q8', seed: 1 }),
  })
  const cache = stage.openCache(4)
  await stage.close()
  const run = stage.run([step(cache, 0, { type: 'tokens', tokens: Int32Array.of(1) })])
  await expect(run).rejects.toThrow('the stage is open')
  expect(tf.memory().numTensors).toBe(unused)
})

test('weights that are missing leave no tensors of those that came', async () => {
  const config = smallConfig({ layerCount: 1 })
  const whole = randomWeights({ config, format: 'q8', seed: 1 })
  const weights: WeightSource = {
    ...whole,
    matrix: (name) => {
      if (name === 'layers.0.down') throw new EngineError('ENGINE_UNAVAILABLE', 'The disk is full of holes.')
      return whole.matrix(name)
    },
  }
  const unused = tf.memory().numTensors
  const options = { config, range: wholeRange(config), weights, cacheBytesMax: 1 << 24 }
  await expect(createTfjsEngine(tf, { backend }).createStage(options)).rejects.toThrow('full of holes')
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
