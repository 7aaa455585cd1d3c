/**
 * Opens one GPU of this machine as a WebGPU device with all that its adapter can do. Knows no engine.
 * Spec: docs/spec/gpu.md §2.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { messageOf } from '../../base/error.ts'
import { type AdapterName, adapterNames, loadDawn } from './dawn.ts'
import { GpuError, noAdapter, onlySoftware, outOfRange } from './gpu-error.ts'

export interface GpuWish {
  /** In the order of `dllm mine --gpu list`, from 0. Default: the one that the library prefers, which is no software where there is another. */
  readonly index?: number | undefined
  /** Whether a driver that computes on the processor will do. */
  readonly allowSoftware: boolean
  /** Dawn's backend that computes nothing, to measure what calls cost. */
  readonly backend?: 'null' | undefined
}

/** What an adapter says of itself. */
export interface GpuInfo {
  /** In the order of `dllm mine --gpu list`. */
  readonly index: number
  /** As its driver calls it: `NVIDIA GeForce RTX 4090`. */
  readonly name: string
  /** `vulkan`, `metal`, `d3d12` … */
  readonly backend: string
  readonly vendor: string
  readonly architecture: string
  /** Driver and its version, as far as it tells. */
  readonly driver: string
  /** It computes on the processor. */
  readonly isSoftware: boolean
  readonly features: readonly string[]
  readonly subgroupSizeMin: number
  readonly subgroupSizeMax: number
  /** WGSL has `dot4I8Packed`. */
  readonly hasPackedDot: boolean
}

export interface OpenGpu {
  readonly device: GPUDevice
  readonly adapterInfo: GPUAdapterInfo
  readonly info: GpuInfo
  readonly software: boolean
  /** Waits for what was submitted, and gives the device back. May be called again. */
  close(): Promise<void>
}

/** Asked for where an adapter has them. Text: TF.js brings older types of WebGPU along, which do not name them all. */
const FEATURES: readonly string[] = ['shader-f16', 'subgroups', 'timestamp-query']

/** Asked for as high as the adapter goes; all others stay at the least that every adapter has. */
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const satisfies readonly (keyof GPUSupportedLimits)[]

/** @throws GpuError, which says what to do. */
export async function openGpuDevice(wish: GpuWish): Promise<OpenGpu> {
  const { gpu, adapter, info } = await openAdapter(wish)
  if (info.isSoftware && !wish.allowSoftware && wish.backend === undefined) throw onlySoftware(info.name)
  const device = await requestDevice(adapter, info)
  const release = hold(gpu)
  return {
    ...{ device, adapterInfo: adapter.info, info, software: info.isSoftware },
    async close() {
      // Of a device that is lost there is nothing to wait for.
      await Promise.race([device.queue.onSubmittedWorkDone().catch(() => undefined), device.lost])
      device.destroy()
      release()
    },
  }
}

export interface OpenAdapter {
  /** Keeps the adapter alive. */
  readonly gpu: GPU
  /** A device can be made of it once. */
  readonly adapter: GPUAdapter
  readonly info: GpuInfo
}

/** Software or not. @throws GpuError. */
export async function openAdapter({ index, backend }: Omit<GpuWish, 'allowSoftware'>): Promise<OpenAdapter> {
  const dawn = await loadDawn()
  Object.assign(globalThis, dawn.globals)
  if (backend !== undefined) return request(dawn.create([`backend=${backend}`]), [{ backend, name: backend }])
  const names = await adapterNames(dawn)
  if (names.length === 0) throw noAdapter()
  if (index === undefined) return request(dawn.create([]), names)
  return request(dawn.create([`adapter=${adapterAt(names, index).name}`]), names, index)
}

async function request(gpu: GPU, names: readonly AdapterName[], index?: number): Promise<OpenAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (adapter === null) throw noAdapter()
  const found = index ?? names.findIndex(({ name }) => slugOf(name) === adapter.info.device)
  return { gpu, adapter, info: gpuInfoOf({ gpu, adapter }, names, Math.max(0, found)) }
}

async function requestDevice(adapter: GPUAdapter, { name }: GpuInfo): Promise<GPUDevice> {
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]))
  const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[]
  try {
    return await adapter.requestDevice({ requiredFeatures, requiredLimits })
  } catch (cause) {
    const message = `The GPU ${name} gives no device: ${messageOf(cause)} Close other programs that use it, or update its driver.`
    throw new GpuError('GPU_NO_DEVICE', message, { cause })
  }
}

/** Dawn takes a part of a name for the name, and the first that has it. @throws GpuError. */
export function adapterAt(names: readonly AdapterName[], index: number): AdapterName {
  const adapter = names[index]
  if (adapter === undefined) throw outOfRange(index, names.length)
  const first = names.findIndex(({ name }) => name.includes(adapter.name))
  if (first !== index) {
    const message = `GPU ${index} cannot be told from GPU ${first}: both are called ${adapter.name}, and the WebGPU library opens GPUs by name. Use GPU ${first}, or start a miner where only GPU ${index} can be seen, as in a container that is given this card alone.`
    throw new GpuError('GPU_SAME_NAME', message, { details: { index, first, name: adapter.name } })
  }
  return adapter
}

function gpuInfoOf({ gpu, adapter }: Omit<OpenAdapter, 'info'>, names: readonly AdapterName[], index: number): GpuInfo {
  const { info, features } = adapter
  const { name, backend } = names[index]!
  return {
    ...{ index, name, backend },
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    isSoftware: info.isFallbackAdapter,
    features: [...features].sort(),
    subgroupSizeMin: info.subgroupMinSize ?? 0,
    subgroupSizeMax: info.subgroupMaxSize ?? 0,
    hasPackedDot: gpu.wgslLanguageFeatures.has('packed_4x8_integer_dot_product'),
  }
}

/** As WebGPU writes names: `llvmpipe-llvm-15-0-6-256-bits-`. */
function slugOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}

/** Devices that are open, with what keeps them alive. */
const held = new Set<GPU>()

/** TF.js looks for `navigator.gpu`; there it is for as long as a device is open. */
function hold(gpu: GPU): () => void {
  assert(!held.has(gpu), 'each device has a library object of its own')
  held.add(gpu)
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true })
  return () => {
    held.delete(gpu)
    const next = [...held].at(-1)
    if (next === undefined) Reflect.deleteProperty(navigator, 'gpu')
    else Object.defineProperty(navigator, 'gpu', { value: next, configurable: true })
  }
}
