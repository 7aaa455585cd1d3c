/**
 * Gradients against finite differences of the reference engine's loss: the forward pass of training and its derivative are both held to
 * the oracle, which shares no code with them.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { openTfjs } from '../../../../src/app/tfjs/open-tfjs.ts'
import type { ModelConfig } from '../../../../src/ml/config.ts'
import { createReferenceEngine } from '../../../../src/ml/engine/reference.ts'
import { createModelOps } from '../../../../src/ml/engine/tfjs/model-ops.ts'
import { switchBackend } from '../../../../src/ml/engine/tfjs/tensorflow.ts'
import type { WeightSource } from '../../../../src/ml/tensors.ts'
import { drawBatch, type TokenBatch } from '../../../../src/ml/train/batch.ts'
import { fullLearner, type Learner } from '../../../../src/ml/train/learner.ts'
import { loraLearner } from '../../../../src/ml/train/lora.ts'
import { IGNORED } from '../../../../src/ml/train/loss.ts'
import { createTrainer, lossAndGradients } from '../../../../src/ml/train/trainer.ts'
import { step, tokensOf, valuesOf } from '../../../contract/engine-case.ts'
import { generator, randomWeights, smallConfig, wholeRange } from '../../../contract/random-model.ts'

const { tf } = await openTfjs('cpu')
await openTfjs('wasm')
const ops = createModelOps(tf)

const SMALL = {
  layerCount: 2,
  hiddenSize: 12,
  headSize: 4,
  headCount: 4,
  keyValueHeadCount: 2,
  intermediateSize: 20,
  vocabularySize: 23,
}
const CONFIGS: readonly (readonly [string, ModelConfig])[] = [
  ['llama', smallConfig(SMALL)],
  ['biases and a tied head', smallConfig({ ...SMALL, queryKeyValueBias: true, tiedHead: true })],
  ['query and key norm and a window', smallConfig({ ...SMALL, queryKeyNorm: true, slidingWindow: 3 })],
]
const BACKENDS = ['cpu', 'wasm'] as const

function batchOf(config: ModelConfig): TokenBatch {
  const drawn = drawBatch(tokensOf(config, 40), { batch: 2, rows: 7 }, { seed: 5n, step: 0 })
  // One token that does not count.
  drawn.targets[3] = IGNORED
  return drawn
}

/** Mean cross-entropy in f64 of the reference engine's logits. */
function referenceLoss(
  config: ModelConfig,
  weights: WeightSource,
  { batch, rows, inputs, targets }: TokenBatch,
): number {
  const stage = createReferenceEngine().createStage({
    config,
    range: wholeRange(config),
    weights,
    cacheBytesMax: 1 << 24,
  })
  let sum = 0
  let counted = 0
  for (let text = 0; text < batch; text++) {
    const tokens = inputs.slice(text * rows, (text + 1) * rows)
    const logits = valuesOf(stage.run([step(stage.openCache(rows), 0, { type: 'tokens', tokens })])[0])
    for (let row = 0; row < rows; row++) {
      const target = targets[text * rows + row]!
      if (target === IGNORED) continue
      const all = [...logits.slice(row * config.vocabularySize, (row + 1) * config.vocabularySize)]
      const largest = Math.max(...all)
      sum += Math.log(all.reduce((total, z) => total + Math.exp(z - largest), 0)) + largest - all[target]!
      counted += 1
    }
  }
  return sum / counted
}

/** Slope of the reference's loss when `name` moves along `direction`; the learner is put back. */
async function measuredSlope(learner: Learner, at: { name: string; direction: Float32Array; batch: TokenBatch }) {
  const variable = learner.variables.get(at.name)!
  const before = (await variable.data()).slice() as Float32Array
  const lossAt = async (distance: number) => {
    const moved = before.map((value, index) => value + distance * at.direction[index]!)
    tf.tidy(() => variable.assign(tf.tensor(moved, variable.shape)))
    return referenceLoss(learner.config, await learner.weightSource(), at.batch)
  }
  const slopeWithin = async (reach: number) => ((await lossAt(reach)) - (await lossAt(-reach))) / (2 * reach)
  // Richardson: what curvature adds is four times as much at twice the reach.
  const slope = (4 * (await slopeWithin(0.005)) - (await slopeWithin(0.01))) / 3
  tf.tidy(() => variable.assign(tf.tensor(before, variable.shape)))
  return slope
}

/** Every variable's gradient, in a direction between its own and a random one, so that length and direction both count. */
async function checkGradients(learner: Learner, batch: TokenBatch): Promise<void> {
  const { loss, gradients } = lossAndGradients(learner, batch)
  const found = (await loss.data())[0]!
  expect(Math.abs(found - referenceLoss(learner.config, await learner.weightSource(), batch))).toBeLessThan(1e-5)
  for (const [index, [name, tensor]] of [...gradients].entries()) {
    const gradient = Float64Array.from(await tensor.data())
    const random = generator(index)
    const norm = Math.hypot(...gradient)
    expect(norm, name).toBeGreaterThan(1e-4)
    const mixed = gradient.map((value) => value / norm + random.real(1) / Math.sqrt(gradient.length))
    const direction = Float32Array.from(mixed, (value) => value / Math.hypot(...mixed))
    const expected = gradient.reduce((sum, value, at) => sum + value * direction[at]!, 0)
    const slope = await measuredSlope(learner, { name, direction, batch })
    expect(Math.abs(slope - expected), `${name}: ${slope} measured, ${expected} computed`).toBeLessThan(
      2e-3 * norm + 2e-5,
    )
  }
  for (const tensor of [loss, ...gradients.values()]) tensor.dispose()
}

describe.each(BACKENDS)('gradients on %s', (backend) => {
  test.each(CONFIGS)('of every parameter are the slopes of the reference: %s', async (_what, config) => {
    switchBackend(tf, backend)
    const learner = fullLearner({ ops, config, weights: randomWeights({ config, format: 'f32', seed: 3 }) })
    await checkGradients(learner, batchOf(config))
    learner.dispose()
  })

  test('of low-rank additions to q4 matrices are the slopes of the reference', async () => {
    switchBackend(tf, backend)
    const config = CONFIGS[1]![1]
    const weights = randomWeights({ config, format: 'q4', seed: 3 })
    const learner = loraLearner({
      ops,
      config,
      weights,
      rank: 3,
      alpha: 6,
      parts: ['query', 'value', 'down'],
      seed: 1n,
    })
    const trainer = createTrainer(learner)
    // At first B is zero and A has no gradient.
    await trainer.step(batchOf(config), 0.05)
    await trainer.step(batchOf(config), 0.05)
    await checkGradients(learner, batchOf(config))
    trainer.dispose()
    learner.dispose()
  })
})
