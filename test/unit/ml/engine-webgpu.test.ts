/**
 * Exact-1 on software GPUs, which compile for seconds what a GPU's driver compiles in milliseconds. The suite runs on the faster of them in both ways of multiplying
 * integers, with subgroups, in short sessions; where `DLLM_TEST_GPU_DRIVERS=all` says so (CI) each driver has it in one. Both get one model in each format without
 * subgroups. `DLLM_TEST_GPU_LENGTH=70` gives the suite to both, in all formats and at the length that other engines get. Spec: docs/spec/gpu.md §8, §9.
 * @module
 */
import { afterAll, describe, expect, test } from 'vitest'
import { type OpenGpu, openGpuDevice } from '../../../src/app/gpu/open-device.ts'
import type { WeightFormat } from '../../../src/ml/config.ts'
import type { DeviceEngine } from '../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { createWebgpuEngine } from '../../../src/ml/engine/webgpu/webgpu.ts'
import { FORMATS, logitsThrough, rowsOf, sameBits, step, tokensOf, valuesOf } from '../../contract/engine-case.ts'
import { engineSuite } from '../../contract/engine-suite.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'
import {
  ASKED_LENGTH,
  GPU_DRIVERS,
  type GpuDriver,
  hasEngineSuite,
  noteMissingDrivers,
  useDrivers,
} from '../../gpu-drivers.ts'

/** Matrices whole, with a product of four bytes at a time and sums of subgroups; and in parts (the widest of the suite takes 280 KiB of q4), with bytes one by one. */
const VARIANTS: readonly { readonly format: WeightFormat; readonly kernels: object }[] = [
  { format: 'q8', kernels: { tile: 2, hasSubgroups: true } },
  { format: 'q4', kernels: { tile: 1, hasPackedDot: false, hasSubgroups: true, bindingBytesMax: 262_144 } },
]
/** The slower driver has the second alone, and the faster one then only the first. */
const variantsOn = ({ name }: GpuDriver) => {
  if (ASKED_LENGTH !== undefined || !SUITE_DRIVERS.some((driver) => driver.name === 'swiftshader')) return VARIANTS
  return name === 'swiftshader' ? VARIANTS.slice(1) : VARIANTS.slice(0, 1)
}
const SUITE_DRIVERS = GPU_DRIVERS.filter(hasEngineSuite)
const LENGTHS = { lavapipe: 9, swiftshader: 2 } as const

/** `refused` collects what the device finds invalid. */
async function open(refused: string[]): Promise<OpenGpu> {
  const gpu = await openGpuDevice({ allowSoftware: true })
  gpu.device.addEventListener('uncapturederror', ({ error }) => refused.push(error.message))
  return gpu
}

describe('webgpu engine', () => {
  noteMissingDrivers()

  describe.each(SUITE_DRIVERS)('on $name', (driver) => {
    const refused: string[] = []
    let gpu: OpenGpu | undefined
    afterAll(async () => {
      await gpu?.close()
      expect(refused).toEqual([])
    })
    for (const { format, kernels } of variantsOn(driver)) {
      let engine: DeviceEngine | undefined
      engineSuite({
        name: `from integers, with ${JSON.stringify(kernels)}`,
        hasExtras: false,
        length: Number(ASKED_LENGTH ?? LENGTHS[driver.name]),
        formats: ASKED_LENGTH === undefined ? [format] : FORMATS,
        create: async () => {
          useDrivers(driver)
          gpu ??= await open(refused)
          // One for all tests: a driver compiles its kernels once.
          engine ??= createWebgpuEngine({ device: gpu.device, arithmetic: 'soft', ...kernels })
          return engine
        },
      })
    }
  })

  test.each(GPU_DRIVERS.flatMap(({ name }) => FORMATS.map((format) => [name, format] as const)))(
    'on %s: %s without subgroups, matrices in the smallest parts, in chunks and in one batch, some of which fails',
    async (name, format) => {
      const refused: string[] = []
      useDrivers(...GPU_DRIVERS.filter((driver) => driver.name === name))
      const gpu = await open(refused)
      const engine = createWebgpuEngine({
        ...{ device: gpu.device, arithmetic: 'soft', hasPackedDot: false, tile: 2 },
        // A matrix of 51 × 40 takes 8,160 bytes in f32.
        bindingBytesMax: 1_024,
      })
      const config = smallConfig({ layerCount: 1, queryKeyNorm: true, queryKeyValueBias: true, slidingWindow: 5 })
      const options = {
        ...{ config, range: wholeRange(config), weights: randomWeights({ config, format, seed: 1 }) },
        cacheBytesMax: 1 << 24,
      }
      const [stage, reference] = [await engine.createStage(options), createReferenceEngine().createStage(options)]
      const tokens = tokensOf(config, 9)
      const expected = await logitsThrough([reference], tokens, 9)
      for (const chunk of [1, 4]) sameBits(await logitsThrough([stage], tokens, chunk), expected, `chunks of ${chunk}`)
      await stage.close()
      const range = { ...options.range, hasEmbedding: false }
      const [rows, oracle] = [
        await engine.createStage({ ...options, range }),
        createReferenceEngine().createStage({ ...options, range }),
      ]
      const inputs = [rowsOf(config, 2), rowsOf(config, 1).fill(3e38), rowsOf(config, 1, 2)]
      const batch = (on: Pick<typeof oracle, 'openCache'>) =>
        inputs.map((values) => step(on.openCache(2), 0, { type: 'hidden', values }))
      const [found, right] = [await rows.run(batch(rows)), oracle.run(batch(oracle))]
      expect(found[1]).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
      for (const at of [0, 2]) sameBits(valuesOf(found[at]), valuesOf(right[at]), `session ${at}`)
      await rows.close()
      await gpu.close()
      expect(refused).toEqual([])
    },
  )
})
