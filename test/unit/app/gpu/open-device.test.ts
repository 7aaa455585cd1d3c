import { afterEach, describe, expect, test } from 'vitest'
import { adapterNamesOf } from '../../../../src/app/gpu/dawn.ts'
import { adapterAt, type OpenGpu, openGpuDevice } from '../../../../src/app/gpu/open-device.ts'
import { GPU_DRIVERS, HAS_WEBGPU, noteMissingDrivers, useDrivers } from '../../../gpu-drivers.ts'

const refused = (code: string) => expect.objectContaining({ code })

const open: OpenGpu[] = []

async function opened(wish: Parameters<typeof openGpuDevice>[0]): Promise<OpenGpu> {
  const gpu = await openGpuDevice(wish)
  open.push(gpu)
  return gpu
}

afterEach(async () => {
  for (const gpu of open.splice(0)) await gpu.close()
})

noteMissingDrivers()

describe.each(GPU_DRIVERS)('on $name', (driver) => {
  test('a driver without hardware is opened only for who allows it', async () => {
    useDrivers(driver)
    await expect(openGpuDevice({ allowSoftware: false })).rejects.toEqual(refused('GPU_ONLY_SOFTWARE'))
    const { info, software, device } = await opened({ index: 0, allowSoftware: true })
    expect(software).toBe(true)
    expect(info).toMatchObject({ isSoftware: true, name: expect.stringMatching(/llvmpipe|SwiftShader/) })
    expect(device.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 1_048_576)
  })

  test('a GPU that is not there is refused with the range', async () => {
    useDrivers(driver)
    await expect(openGpuDevice({ index: 1, allowSoftware: true })).rejects.toThrow(
      'There is no GPU 1. The only GPU is 0',
    )
  })

  test('navigator.gpu is there for as long as a device is open', async () => {
    useDrivers(driver)
    const first = await opened({ allowSoftware: true })
    const second = await opened({ allowSoftware: true })
    await second.close()
    expect(Reflect.has(navigator, 'gpu')).toBe(true)
    await first.close()
    await first.close()
    expect(Reflect.has(navigator, 'gpu')).toBe(false)
  })
})

test.skipIf(GPU_DRIVERS.length < 2)('of several GPUs each is opened by its number', async () => {
  useDrivers(...GPU_DRIVERS)
  const infos = []
  for (const index of [0, 1]) infos.push((await opened({ index, allowSoftware: true })).info)
  expect(infos.map(({ index }) => index)).toEqual([0, 1])
  expect(new Set(infos.map(({ vendor }) => vendor))).toEqual(new Set(['mesa', 'google']))
  const { info } = await opened({ allowSoftware: true })
  expect(infos[info.index]).toEqual(info)
})

test.skipIf(!HAS_WEBGPU)('without a driver it says how to get one', async () => {
  useDrivers()
  await expect(openGpuDevice({ allowSoftware: true })).rejects.toEqual(refused('GPU_NO_ADAPTER'))
})

test.skipIf(!HAS_WEBGPU)('the backend that computes nothing needs no driver', async () => {
  useDrivers()
  const { device } = await opened({ allowSoftware: false, backend: 'null' })
  expect(device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).size).toBe(16)
})

test('adapters are read from what the library says', () => {
  const message = `no suitable backends found
Available adapters:
 * backend: 'vulkan', name: 'NVIDIA GeForce RTX 4090'
 * backend: 'd3d12', name: 'AMD Radeon(TM) 'Graphics''
`
  expect(adapterNamesOf(message)).toEqual([
    { backend: 'vulkan', name: 'NVIDIA GeForce RTX 4090' },
    { backend: 'd3d12', name: "AMD Radeon(TM) 'Graphics'" },
  ])
  expect(adapterNamesOf('something else')).toEqual([])
  const twice = ['d3d12', 'd3d12', 'vulkan', 'vulkan'].map((backend) => ` * backend: '${backend}', name: 'card'`)
  expect(adapterNamesOf(twice.join('\n'))).toEqual([
    { backend: 'd3d12', name: 'card' },
    { backend: 'd3d12', name: 'card' },
  ])
})

test.each([
  ['the same name', ['card', 'card'], 1],
  ['a name within that of another', ['card Ti', 'card'], 1],
])('of two with %s the second cannot be opened', (_what, names, index) => {
  const adapters = names.map((name) => ({ backend: 'vulkan', name }))
  expect(() => adapterAt(adapters, index)).toThrow(refused('GPU_SAME_NAME'))
  expect(adapterAt(adapters, 0).name).toBe(names[0])
})
