/**
 * The optional package `webgpu` (Dawn for Node), loaded when a GPU is asked for. Its objects die with the one that `create` gave: whoever uses an
 * adapter or device keeps that one. Spec: docs/spec/gpu.md §2.
 * @module
 */
import { GpuError } from './gpu-error.ts'

/** The part of the package that this program uses; written here, so that it builds where the package is not installed. */
interface Dawn {
  create(options: string[]): GPU
  readonly globals: object
}

/** As a value, so that the compiler does not look for it. */
const PACKAGE: string = 'webgpu'

/** @throws GpuError GPU_NO_PACKAGE. */
export async function loadDawn(): Promise<Dawn> {
  try {
    return (await import(PACKAGE)) as Dawn
  } catch (cause) {
    throw new GpuError(
      'GPU_NO_PACKAGE',
      'The package "webgpu", through which this program reaches GPUs, is not installed or does not load here. Install it beside dllm with `npm install webgpu@0.6.2`; on Linux it needs glibc 2.34 or newer.',
      { cause },
    )
  }
}

/** No adapter has it: asked for it, Dawn tells all that there are. */
const NOBODY = 'no adapter has this name'

const ADAPTER_LINE = /^ \* backend: '([a-z0-9]+)', name: '(.*)'$/

export interface AdapterName {
  /** `vulkan`, `metal`, `d3d12` … */
  readonly backend: string
  readonly name: string
}

/** All adapters of this machine in Dawn's order; none without a driver. */
export async function adapterNames(dawn: Dawn): Promise<AdapterName[]> {
  const gpu = dawn.create([`adapter=${NOBODY}`])
  try {
    await gpu.requestAdapter()
    return []
  } catch (error) {
    return adapterNamesOf(error instanceof Error ? error.message : '')
  }
}

/** From the message in which Dawn lists them. A card that several interfaces of the system reach is there once, by the first of them. */
export function adapterNamesOf(message: string): AdapterName[] {
  const names = message.split('\n').flatMap((line) => {
    const [, backend, name] = ADAPTER_LINE.exec(line) ?? []
    return backend === undefined || name === undefined ? [] : [{ backend, name }]
  })
  return names.filter(({ backend, name }) => names.find((one) => one.name === name)?.backend === backend)
}
