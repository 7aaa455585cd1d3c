/**
 * The tfjs engine on a GPU: the engine suite, packed products, training, nothing left behind. A software driver takes a millisecond for each operation, so that
 * sessions are short, and the slower one has products and one model; where `DLLM_TEST_GPU_DRIVERS=all` says so (CI), the suite in q4 too. `DLLM_TEST_GPU_LENGTH=70` gives
 * both the suite in all formats and with the length that other engines get.
 * Spec: docs/spec/float.md §2.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenGpu, openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import { type OpenTfjs, openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import type { WeightFormat } from '../../../src/ml/config.ts'
import { dequantizeRows } from '../../../src/ml/dequantize.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { loadMatrix } from '../../../src/ml/engine/tfjs/device-matrix.ts'
import { createModelOps } from '../../../src/ml/engine/tfjs/model-ops.ts'
import { switchBackend, type Tensorflow } from '../../../src/ml/engine/tfjs/tensorflow.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { drawBatch } from '../../../src/ml/train/batch.ts'
import { fullLearner } from '../../../src/ml/train/learner.ts'
import { createTrainer, type StepReport } from '../../../src/ml/train/trainer.ts'
import { asFloats, FORMATS, logitsThrough, rangesOf, sameWithin, tokensOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { generator, randomMatrix, randomWeights, smallConfig } from '../../contract/random-model.ts'
import {
  ASKED_LENGTH,
  GPU_DRIVERS,
  type GpuDriver,
  hasEngineSuite,
  noteMissingDrivers,
  useDrivers,
} from '../../gpu-drivers.ts'

/** docs/spec/float.md §2. */
const BOUND = 1e-5
const LENGTH = Number(ASKED_LENGTH ?? 2)
const INTEGERS = ['q8', 'q4'] as const
/** Of the suite where nobody asks for a length: one on each driver if the slower one has it too. */
const formatsOn = ({ name }: GpuDriver): readonly WeightFormat[] => {
  if (!GPU_DRIVERS.some((driver) => driver.name === 'swiftshader' && hasEngineSuite(driver))) return INTEGERS
  return name === 'swiftshader' ? ['q4'] : ['q8']
}
/** TF.js's name for the kernel that gives a workgroup of 128 threads to many outputs; its own choice for few is one of 256 threads to each. */
const MATMUL_SMALL_OUTPUT = 2
const MATMUL_BY_SIZE = -1
const MATMUL_FLAG = 'WEBGPU_MATMUL_PROGRAM_TYPE'

const PRODUCTS = [
  ['q8', 1, 64, 9],
  ['q8', 11, 75, 7],
  ['q4', 1, 75, 7],
  ['q4', 11, 64, 9],
  ['f32', 3, 40, 7],
  // More words than a group of threads of a narrow matrix is given for.
  ['q8', 2, 300, 5],
  ['q4', 3, 700, 5],
] as const

describe('tfjs engine, webgpu', () => {
  noteMissingDrivers()

  describe.each(GPU_DRIVERS)('on $name', (driver) => {
    const refused: string[] = []
    // One for all tests: a driver compiles its kernels once.
    let gpu: OpenGpu
    let open: OpenTfjs
    let unused = 0
    beforeAll(async () => {
      useDrivers(driver)
      gpu = await openGpuDevice({ allowSoftware: true })
      gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
      open = await openTfjs('webgpu', gpu)
      unused = open.tf.memory().numTensors
      // SwiftShader switches between the threads of a workgroup one by one: 40 ms for what is 1 ms otherwise.
      const isSlow = driver.name === 'swiftshader' && ASKED_LENGTH === undefined
      open.tf.env().set(MATMUL_FLAG, isSlow ? MATMUL_SMALL_OUTPUT : MATMUL_BY_SIZE)
    })
    afterAll(async () => {
      open.tf.env().set(MATMUL_FLAG, MATMUL_BY_SIZE)
      expect(open.tf.memory().numTensors).toBe(unused)
      open.close()
      await gpu.close()
      expect(refused).toEqual([])
    })

    if (hasEngineSuite(driver)) {
      engineSuite({
        name: 'within the bound',
        hasExtras: false,
        create: () => createTfjsEngine(open.tf, open),
        length: LENGTH,
        formats: ASKED_LENGTH === undefined ? formatsOn(driver) : FORMATS,
        bound: BOUND,
      })
    }

    test.each(INTEGERS)('a model in %s, in chunks and in two stages', async (format) => {
      const config = smallConfig({ layerCount: 2, queryKeyNorm: true, queryKeyValueBias: true, slidingWindow: 2 })
      const options = { config, weights: randomWeights({ config, format, seed: 1 }), cacheBytesMax: 1 << 24 }
      const oracle = createReferenceEngine()
      const [range] = rangesOf(config, [])
      const expected = oracle.createStage({ ...options, range: range!, weights: asFloats(options.weights) })
      const tokens = tokensOf(config, 4)
      const right = await logitsThrough([expected], tokens, 4)
      const engine = createTfjsEngine(open.tf, open)
      for (const [cuts, chunk] of [
        [[], 1],
        [[1], 3],
      ] as const) {
        const stages = await Promise.all(
          rangesOf(config, cuts).map((part) => engine.createStage({ ...options, range: part })),
        )
        sameWithin(BOUND)(await logitsThrough(stages, tokens, chunk), right, `chunks of ${chunk}`)
        for (const stage of stages) await stage.close()
      }
    })

    test.each(PRODUCTS)('a product with a matrix of %s in parts, %d×%d×%d', async (format, rows, columns, outputs) => {
      const { tf } = open
      const matrix = randomMatrix({ rows: outputs, columns }, { format }, generator(7))
      const values = Float32Array.from({ length: rows * columns }, generatorOf(9))
      createTfjsEngine(tf, open)
      switchBackend(tf, 'webgpu')
      // Three parts, the last of them shorter.
      const loaded = loadMatrix(tf, matrix, Math.ceil(outputs / 3) * columns)
      const product = tf.tidy(() => loaded.product(tf.tensor(values, [rows, columns])))
      const found = Float32Array.from(await product.data())
      product.dispose()
      loaded.dispose()
      sameWithin(2e-6)(found, productF64(dequantizeRows(matrix), values, columns))
    })

    // The other driver is four times slower.
    if (driver === GPU_DRIVERS[0]) {
      test('two steps of training are those of the backend wasm', () => trainSteps(open.tf, 'webgpu'))
    }
  })
})

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
