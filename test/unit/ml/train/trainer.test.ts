/** Steps of training: they learn, keep no memory, and go on from a checkpoint as if nothing had been. @module */
import { describe, expect, test } from 'vitest'
import { openTfjs } from '../../../../src/app/tfjs/open-tfjs.ts'
import { createModelOps } from '../../../../src/ml/engine/tfjs/model-ops.ts'
import { ADAMW_DEFAULTS, createAdamW } from '../../../../src/ml/train/adamw.ts'
import { type BatchShape, drawBatch } from '../../../../src/ml/train/batch.ts'
import { fullLearner, type Learner } from '../../../../src/ml/train/learner.ts'
import { loraLearner } from '../../../../src/ml/train/lora.ts'
import { crossEntropy, IGNORED } from '../../../../src/ml/train/loss.ts'
import { createTrainer } from '../../../../src/ml/train/trainer.ts'
import { generator, randomWeights, smallConfig } from '../../../contract/random-model.ts'

const { tf } = await openTfjs('wasm')
const ops = createModelOps(tf)
const config = smallConfig({
  hiddenSize: 16,
  headSize: 8,
  headCount: 2,
  keyValueHeadCount: 1,
  layerCount: 1,
  vocabularySize: 11,
  tiedHead: true,
})
const weights = randomWeights({ config, format: 'q8', seed: 2 })
const SHAPE: BatchShape = { batch: 2, rows: 8 }

/** A text with a rule: each token is the one before, plus 3. */
const TEXT = Int32Array.from({ length: 200 }, (_unused, at) => (at * 3) % 11)
const batchAt = (step: number) => drawBatch(TEXT, SHAPE, { seed: 1n, step })

const LEARNERS: readonly (readonly [string, () => Learner])[] = [
  ['all parameters', () => fullLearner({ ops, config, weights })],
  [
    'low-rank additions',
    () =>
      loraLearner({
        ops,
        config,
        weights,
        rank: 8,
        alpha: 16,
        parts: ['query', 'value', 'gate', 'up', 'down'],
        seed: 7n,
      }),
  ],
]

describe('training', () => {
  test.each(LEARNERS)('of %s learns a text, and holds as much memory after as before', async (_what, open) => {
    const unused = tf.memory().numTensors
    const learner = open()
    const trainer = createTrainer(learner)
    const first = await trainer.step(batchAt(0), 0.02)
    const { numTensors, numBytes } = tf.memory()
    for (let step = 1; step < 60; step++) await trainer.step(batchAt(step), 0.02)
    const last = await trainer.loss(batchAt(1_000))
    expect(tf.memory()).toMatchObject({ numTensors, numBytes })
    expect(first.loss).toBeGreaterThan(1.5)
    expect(last).toBeLessThan(first.loss / 3)
    trainer.dispose()
    learner.dispose()
    expect(tf.memory().numTensors).toBe(unused)
  })

  test.each(LEARNERS)('of %s begins with the model as it is and gives it back', async (_what, open) => {
    const learner = open()
    const found = await learner.weightSource()
    const expected = weights.matrix('layers.0.gate')
    const { values } = found.matrix('layers.0.gate') as { values: Float32Array }
    const { values: integers, scales } = expected as { values: Int8Array; scales: Float32Array }
    expect(values[config.hiddenSize + 3]).toBeCloseTo(integers[32 + 3]! * scales[1]!, 6)
    expect(found.vector('outputNorm')).toEqual(weights.vector('outputNorm'))
    expect(found.matrix('head')).toEqual(found.matrix('embedding'))
    learner.dispose()
  })

  test('goes on from a checkpoint with the same numbers', async () => {
    const learner = fullLearner({ ops, config, weights })
    const trainer = createTrainer(learner)
    for (let step = 0; step < 3; step++) await trainer.step(batchAt(step), 0.01)
    const saved = new Map<string, Float32Array>()
    for (const [name, variable] of trainer.state) saved.set(name, (await variable.data()).slice() as Float32Array)
    const expected = [await trainer.step(batchAt(3), 0.01), await trainer.step(batchAt(4), 0.01)]
    const otherLearner = fullLearner({ ops, config, weights })
    const other = createTrainer(otherLearner)
    other.resume(saved, 3)
    expect([await other.step(batchAt(3), 0.01), await other.step(batchAt(4), 0.01)]).toEqual(expected)
    expect(other.steps).toBe(5)
    for (const one of [trainer, other, learner, otherLearner]) one.dispose()
  })
})

describe('AdamW', () => {
  test('moves as its paper says, computed in f64', async () => {
    const random = generator(4)
    const start = Float32Array.from({ length: 6 }, () => random.real(1))
    const variable = tf.tidy(() => tf.variable(tf.tensor(start, [2, 3])))
    const optimizer = createAdamW(tf, new Map([['w', variable]]), { ...ADAMW_DEFAULTS, gradientNormMax: 0.5 })
    const { beta1, beta2, epsilon, weightDecay } = ADAMW_DEFAULTS
    const expected = [...start]
    const mean = new Float64Array(6)
    const square = new Float64Array(6)
    for (let step = 1; step <= 4; step++) {
      const gradient = Float32Array.from({ length: 6 }, () => random.real(step))
      const norm = Math.hypot(...gradient)
      const tensor = tf.tensor(gradient, [2, 3])
      const found = optimizer.apply(new Map([['w', tensor]]), 0.1)
      expect((await found.data())[0]).toBeCloseTo(norm, 5)
      for (let at = 0; at < 6; at++) {
        const clipped = gradient[at]! * Math.min(1, 0.5 / norm)
        mean[at] = beta1 * mean[at]! + (1 - beta1) * clipped
        square[at] = beta2 * square[at]! + (1 - beta2) * clipped ** 2
        const direction = mean[at]! / (1 - beta1 ** step) / (Math.sqrt(square[at]! / (1 - beta2 ** step)) + epsilon)
        expected[at] = expected[at]! * (1 - 0.1 * weightDecay) - 0.1 * direction
      }
      for (const one of [tensor, found]) one.dispose()
    }
    for (const [at, value] of (await variable.data()).entries()) expect(value).toBeCloseTo(expected[at]!, 4)
    for (const one of [variable, optimizer]) one.dispose()
  })

  test('lets the weights of vectors be as large as they are', async () => {
    const variable = tf.tidy(() => tf.variable(tf.tensor([2, 2])))
    const optimizer = createAdamW(tf, new Map([['gain', variable]]))
    const none = tf.tensor([0, 0])
    optimizer.apply(new Map([['gain', none]]), 0.5).dispose()
    expect([...(await variable.data())]).toEqual([2, 2])
    for (const one of [variable, optimizer, none]) one.dispose()
  })
})

describe('the loss', () => {
  test('is the mean over the targets that count, and 0 without any', async () => {
    const logits = tf.tensor([0, 0, Math.log(2), 5, 5, 5, 1, 2, 3], [3, 3])
    const lossOf = async (...targets: number[]) => {
      const loss = crossEntropy(tf, logits, Int32Array.from(targets))
      const values = await loss.data()
      loss.dispose()
      return values[0]
    }
    const before = tf.memory().numTensors
    expect(await lossOf(2, 0, IGNORED)).toBeCloseTo((Math.log(2) + Math.log(3)) / 2, 6)
    expect(await lossOf(IGNORED, IGNORED, IGNORED)).toBeCloseTo(0, 12)
    expect(tf.memory().numTensors - before).toBeGreaterThanOrEqual(0)
    logits.dispose()
  })
})

test('a batch is drawn by seed and step, and its targets follow its inputs', () => {
  const batch = drawBatch(TEXT, SHAPE, { seed: 1n, step: 4 })
  expect(batch).toEqual(drawBatch(TEXT, SHAPE, { seed: 1n, step: 4 }))
  expect(batch.inputs).not.toEqual(drawBatch(TEXT, SHAPE, { seed: 1n, step: 5 }).inputs)
  expect([...batch.targets]).toEqual([...batch.inputs].map((token) => (token + 3) % 11))
  expect(drawBatch(TEXT.slice(0, 9), SHAPE, { seed: 1n, step: 0 }).inputs.length).toBe(16)
  expect(() => drawBatch(TEXT.slice(0, 8), SHAPE, { seed: 1n, step: 0 })).toThrow('longer than a row')
})
