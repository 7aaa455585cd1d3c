/**
 * Looks at every GPU of this machine: what it is, what it can do, whether its numbers are right. Runs in a process of its own
 * (app/gpu/list-gpus.ts), since drivers may write to the terminal, and may crash.
 * Spec: docs/spec/gpu.md §3.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import { type AdapterName, adapterNames, loadDawn } from './dawn.ts'
import { openExactEngine } from './exact-engine.ts'
import { type GpuInfo, type OpenGpu, openGpuDevice } from './open-device.ts'

export interface GpuProbe extends Pick<GpuInfo, 'index' | 'name' | 'backend'> {
  /** Absent where it gives no device. */
  readonly found?: ProbedDevice
  /** Why it cannot be used. */
  readonly refused?: { readonly code: string; readonly message: string }
}

export interface ProbedDevice extends Omit<GpuInfo, 'index' | 'name' | 'backend'> {
  /** Of one buffer, bytes. */
  readonly bufferBytesMax: number
  /** Of what a kernel sees at once, bytes. */
  readonly bindingBytesMax: number
  readonly workgroupThreadsMax: number
  readonly workgroupBytesMax: number
  /** How its numbers are made exact (gpu.md §4); absent where they cannot be, and where that was not tested. */
  readonly arithmetic?: string
}

/** Whose numbers are tested. */
export type ProbeTests = 'none' | 'hardware' | 'all'

const FORMATS = ['q8', 'q4'] as const

/** In the order of their numbers. @throws GpuError GPU_NO_PACKAGE. */
export async function probeGpus(tests: ProbeTests): Promise<GpuProbe[]> {
  const names = await adapterNames(await loadDawn())
  const probes: GpuProbe[] = []
  for (const [index, name] of names.entries()) probes.push(await probe(index, name, tests))
  return probes
}

async function probe(index: number, { name, backend }: AdapterName, tests: ProbeTests): Promise<GpuProbe> {
  const adapter = { index, name, backend }
  let gpu: OpenGpu | undefined
  let found: ProbedDevice | undefined
  try {
    gpu = await openGpuDevice({ index, allowSoftware: true })
    found = deviceOf(gpu)
    if (tests === 'none' || (tests === 'hardware' && gpu.software)) return { ...adapter, found }
    const { arithmetic } = await openExactEngine(gpu, FORMATS)
    return { ...adapter, found: { ...found, arithmetic } }
  } catch (error) {
    if (!(error instanceof HouseError)) throw error
    const refused = { code: error.code, message: error.message }
    return { ...adapter, refused, ...(found === undefined ? {} : { found }) }
  } finally {
    await gpu?.close()
  }
}

function deviceOf({ device, info }: OpenGpu): ProbedDevice {
  const { index, name, backend, ...found } = info
  const { limits } = device
  return {
    ...found,
    bufferBytesMax: limits.maxBufferSize,
    bindingBytesMax: limits.maxStorageBufferBindingSize,
    workgroupThreadsMax: limits.maxComputeInvocationsPerWorkgroup,
    workgroupBytesMax: limits.maxComputeWorkgroupStorageSize,
  }
}
