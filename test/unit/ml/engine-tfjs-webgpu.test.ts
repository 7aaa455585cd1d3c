/**
 * The tfjs engine on a GPU: packed products, whole models, training, nothing left behind. A software driver takes seconds for what a processor does in
 * milliseconds, so that the models are small and few; the whole suite runs on wasm (engine-tfjs.test.ts).
 * @module
 */
import { describe, expect, test } from 'vitest'
import { openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import { type OpenTfjs, openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { dequantizeRows } from '../../../src/ml/dequantize.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { loadMatrix } from '../../../src/ml/engine/tfjs/device-matrix.ts'
import { createModelOps } from '../../../src/ml/engine/tfjs/model-ops.ts'
import { switchBackend, type Tensorflow } from '../../../src/ml/engine/tfjs/tensorflow.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { drawBatch } from '../../../src/ml/train/batch.ts'
import { fullLearner } from '../../../src/ml/train/learner.ts'
import { createTrainer, type StepReport } from '../../../src/ml/train/trainer.ts'
import { asFloats, logitsThrough, sameWithin, tokensOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { generator, randomMatrix, randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'
import { GPU_DRIVERS, noteMissingDrivers, useDrivers } from '../../gpu-drivers.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5

describe('tfjs engine, webgpu', () => {
  noteMissingDrivers()

  test.each(GPU_DRIVERS)('$name gives the numbers of the reference within the bound', async (driver) => {
    useDrivers(driver)
    const gpu = await openGpuDevice({ allowSoftware: true })
    const refused: string[] = []
    gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
    const open = await openTfjs('webgpu', gpu)
    const { tf } = open
    const before = tf.memory().numTensors
    for (const [format, rows, columns, outputs] of PRODUCTS) {
      const matrix = randomMatrix({ rows: outputs, columns }, { format }, generator(7))
      const values = Float32Array.from({ length: rows * columns }, generatorOf(9))
      switchBackend(tf, 'webgpu')
      // Three parts, the last of them shorter.
      const loaded = loadMatrix(tf, matrix, Math.ceil(outputs / 3) * columns)
      const product = tf.tidy(() => loaded.product(tf.tensor(values, [rows, columns])))
      const found = Float32Array.from(await product.data())
      product.dispose()
      loaded.dispose()
      sameWithin(2e-6)(
        found,
        productF64(dequantizeRows(matrix), values, columns),
        `${format} ${rows}×${columns}×${outputs}`,
      )
    }
    for (const format of ['q8', 'q4'] as const) {
      const config = smallConfig({ layerCount: 1, queryKeyNorm: true, slidingWindow: 5 })
      const weights = randomWeights({ config, format, seed: 1 })
      const options = { config, range: wholeRange(config), cacheBytesMax: 1 << 24 }
      const stage = await createTfjsEngine(tf, open).createStage({ ...options, weights })
      const oracle = createReferenceEngine().createStage({ ...options, weights: asFloats(weights) })
      const tokens = tokensOf(config, 9)
      sameWithin(BOUND)(await logitsThrough([stage], tokens, 4), await logitsThrough([oracle], tokens, 9), format)
      await stage.close()
    }
    // The other driver is four times slower, and its products are those above.
    if (driver === GPU_DRIVERS[0]) await trainSteps(tf, 'webgpu')
    expect(tf.memory().numTensors).toBe(before)
    open.close()
    await gpu.close()
    expect(refused).toEqual([])
  })
})

/** With `DLLM_TEST_GPU_SUITE=1` the whole engine suite: minutes on a software GPU, so that CI goes without. */
for (const driver of process.env['DLLM_TEST_GPU_SUITE'] === undefined ? [] : GPU_DRIVERS) {
  let opening: Promise<OpenTfjs> | undefined
  const open = async () => {
    useDrivers(driver)
    return openTfjs('webgpu', await openGpuDevice({ allowSoftware: true }))
  }
  const create = async () => {
    opening ??= open()
    const opened = await opening
    return createTfjsEngine(opened.tf, opened)
  }
  engineSuite({ name: `tfjs engine, webgpu, ${driver.name}`, create, length: 5, bound: BOUND })
}

const PRODUCTS = [
  ['q8', 1, 64, 9],
  ['q8', 11, 75, 7],
  ['q4', 1, 75, 7],
  ['q4', 11, 64, 9],
  ['f32', 3, 40, 7],
] as const

/** Two steps of training, which are those of the backend wasm. */
async function trainSteps(tf: Tensorflow, backend: 'webgpu'): Promise<void> {
  await openTfjs('wasm')
  const sizes = {
    hiddenSize: 8,
    headSize: 4,
    headCount: 2,
    keyValueHeadCount: 1,
    intermediateSize: 12,
    vocabularySize: 11,
  }
  const config = smallConfig({ ...sizes, layerCount: 1, tiedHead: true })
  const batch = drawBatch(tokensOf(config, 30), { batch: 2, rows: 5 }, { seed: 1n, step: 0 })
  const reports: StepReport[][] = []
  for (const used of ['wasm', backend]) {
    switchBackend(tf, used)
    const learner = fullLearner({
      ops: createModelOps(tf),
      config,
      weights: randomWeights({ config, format: 'f32', seed: 1 }),
    })
    const trainer = createTrainer(learner)
    reports.push([await trainer.step(batch, 0.01), await trainer.step(batch, 0.01)])
    trainer.dispose()
    learner.dispose()
  }
  for (const [at, { loss, gradientNorm }] of reports[0]!.entries()) {
    expect(reports[1]![at]!.loss).toBeCloseTo(loss, 5)
    expect(reports[1]![at]!.gradientNorm / gradientNorm).toBeCloseTo(1, 4)
  }
}

function generatorOf(seed: number): () => number {
  const random = generator(seed)
  return () => random.real(2)
}

/** x·Wᵀ in f64. */
function productF64(weights: Float32Array, values: Float32Array, columns: number): Float32Array {
  const outputs = weights.length / columns
  return Float32Array.from({ length: (values.length / columns) * outputs }, (_unused, at) => {
    const row = Math.floor(at / outputs)
    let sum = 0
    for (let k = 0; k < columns; k++) sum += values[row * columns + k]! * weights[(at % outputs) * columns + k]!
    return sum
  })
}
