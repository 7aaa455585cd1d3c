import { afterEach, describe, expect, test } from 'vitest'
import { openExactEngine } from '../../../../src/app/gpu/exact-engine.ts'
import { type OpenGpu, openGpuDevice } from '../../../../src/app/gpu/open-device.ts'
import { HAS_WEBGPU } from '../../../gpu-drivers.ts'

/** Only `native` asks whether a result of the device is to be trusted. */
const NATIVE_ONLY = 'fn trusted('
/** Only kernels whose threads add in subgroups say so. */
const SUBGROUPS_ONLY = 'enable subgroups'

describe.skipIf(!HAS_WEBGPU)("a driver's compiler", () => {
  const open: OpenGpu[] = []
  afterEach(async () => {
    for (const gpu of open.splice(0)) await gpu.close()
  })

  /** Of Dawn's backend that computes nothing, where programs with `text` do not compile. */
  async function refusing(text: string): Promise<{ gpu: OpenGpu; refused: number[] }> {
    const gpu = await openGpuDevice({ allowSoftware: true, backend: 'null' })
    open.push(gpu)
    const { device } = gpu
    const refused: number[] = []
    const [createShaderModule, compile] = [
      device.createShaderModule.bind(device),
      device.createComputePipelineAsync.bind(device),
    ]
    let isRefused = false
    device.createShaderModule = (descriptor) => {
      isRefused = descriptor.code.includes(text)
      return createShaderModule(descriptor)
    }
    device.createComputePipelineAsync = (descriptor) => {
      if (!isRefused) return compile(descriptor)
      refused.push(1)
      return Promise.reject(new Error('The compiler ran out of registers.'))
    }
    return { gpu, refused }
  }

  test.each([NATIVE_ONLY, SUBGROUPS_ONLY])('that refuses programs with "%s" is asked for others', async (text) => {
    const { gpu, refused } = await refusing(text)
    expect(gpu.device.features.has('subgroups')).toBe(true)
    // The other way compiles; what a device that computes nothing gives is wrong.
    await expect(openExactEngine(gpu, ['q8'])).rejects.toMatchObject({ code: 'GPU_NOT_EXACT' })
    expect(refused).not.toEqual([])
  })

  test('that refuses both is an error of the engine, which says what to do', async () => {
    const { gpu } = await refusing('fn main(')
    await expect(openExactEngine(gpu, ['q8'])).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('update'),
    })
  })
})
