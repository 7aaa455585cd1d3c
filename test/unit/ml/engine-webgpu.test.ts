/**
 * Exact-1 on software GPUs, which compile for seconds what a GPU's driver compiles in milliseconds. The suite runs on each of them, for one format of weights and short
 * sessions; `DLLM_TEST_GPU_LENGTH=70` gives it all formats and the length that other engines get. f32 and the smallest parts of matrices are one more test. Spec: docs/spec/gpu.md §8.
 * @module
 */
import { afterAll, describe, expect, test } from 'vitest'
import { type OpenGpu, openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import type { DeviceEngine } from '../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { createWebgpuEngine } from '../../../src/ml/engine/webgpu/webgpu.ts'
import { FORMATS, logitsThrough, sameBits, tokensOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'
import { GPU_DRIVERS, noteMissingDrivers, useDrivers } from '../../gpu-drivers.ts'

const ASKED = process.env['DLLM_TEST_GPU_LENGTH']
/**
 * Barriers take long on the second. It multiplies bytes one by one, where the first has a product of four at a time, and has matrices in parts: the widest of the suite
 * takes 280 KiB of q4.
 */
const VARIANTS = {
  lavapipe: { format: 'q8', length: Number(ASKED ?? 9), kernels: { tile: 2 } },
  swiftshader: {
    format: 'q4',
    length: Number(ASKED ?? 2),
    kernels: { tile: 1, hasPackedDot: false, bindingBytesMax: 262_144 },
  },
} as const

/** `refused` collects what the device finds invalid. */
async function open(refused: string[]): Promise<OpenGpu> {
  const gpu = await openGpuDevice({ allowSoftware: true })
  gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
  return gpu
}

describe('webgpu engine', () => {
  noteMissingDrivers()

  describe.each(GPU_DRIVERS)('on $name', (driver) => {
    const { format, length, kernels } = VARIANTS[driver.name]
    const refused: string[] = []
    let gpu: OpenGpu | undefined
    let engine: DeviceEngine | undefined
    afterAll(async () => {
      await gpu?.close()
      expect(refused).toEqual([])
    })
    engineSuite({
      name: 'from integers',
      hasExtras: false,
      length,
      formats: ASKED === undefined ? [format] : FORMATS,
      create: async () => {
        useDrivers(driver)
        gpu ??= await open(refused)
        // One for all tests: a driver compiles its kernels once.
        engine ??= createWebgpuEngine({ device: gpu.device, arithmetic: 'soft', ...kernels })
        return engine
      },
    })
  })

  test.each(GPU_DRIVERS.slice(-1))('on $name: f32, and matrices in the smallest parts', async (driver) => {
    const refused: string[] = []
    useDrivers(driver)
    const gpu = await open(refused)
    const engine = createWebgpuEngine({
      ...{ device: gpu.device, arithmetic: 'soft', hasPackedDot: false, tile: 1 },
      // A matrix of 51 × 40 takes 8,160 bytes.
      bindingBytesMax: 1_024,
    })
    const config = smallConfig({ layerCount: 1, queryKeyNorm: true, queryKeyValueBias: true, slidingWindow: 5 })
    const options = {
      ...{ config, range: wholeRange(config), weights: randomWeights({ config, format: 'f32', seed: 1 }) },
      cacheBytesMax: 1 << 24,
    }
    const stage = await engine.createStage(options)
    const tokens = tokensOf(config, 9)
    const expected = await logitsThrough([createReferenceEngine().createStage(options)], tokens, 9)
    for (const chunk of [1, 4]) sameBits(await logitsThrough([stage], tokens, chunk), expected, `chunks of ${chunk}`)
    await stage.close()
    await gpu.close()
    expect(refused).toEqual([])
  })
})
