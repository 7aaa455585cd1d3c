/**
 * Kernels of one device, compiled once each and for all sizes: sizes are in the parameters of a call.
 * @module
 */
import { EngineError } from '../engine.ts'
import { type Access, CACHE_BINDINGS, type Kernel, type KernelOptions, kernelSource } from './kernel.ts'

/** A kernel that can be called. */
export interface Compiled {
  readonly kernel: Kernel
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
}

export interface KernelSet {
  /** Group 1 of the kernels that work on a cache. */
  readonly cacheLayout: GPUBindGroupLayout
  /** Rejects with ENGINE_UNAVAILABLE where the device's compiler does. */
  compile(kernel: Kernel): Promise<Compiled>
}

/** Of `GPUShaderStage`, which exists in browsers only. */
const COMPUTE = 4

export function createKernelSet(device: GPUDevice, options: KernelOptions): KernelSet {
  const layouts = new Map<string, GPUBindGroupLayout>()
  const compiled = new Map<string, Promise<Compiled>>()

  const layoutOf = (types: readonly GPUBufferBindingType[]): GPUBindGroupLayout => {
    const key = types.join()
    const layout =
      layouts.get(key) ??
      device.createBindGroupLayout({
        entries: types.map((type, binding) => ({ binding, visibility: COMPUTE, buffer: { type } })),
      })
    layouts.set(key, layout)
    return layout
  }
  const cacheLayout = layoutOf(CACHE_BINDINGS.map(({ access }) => bindingType(access)))

  const compile = async (kernel: Kernel): Promise<Compiled> => {
    const layout = layoutOf([
      'uniform',
      'uniform',
      ...kernel.bindings.map(({ access }): GPUBufferBindingType => bindingType(access)),
    ])
    const bindGroupLayouts = kernel.hasCache ? [layout, cacheLayout] : [layout]
    const code = kernelSource(kernel, options)
    // A program that is refused says so twice; once is enough, and the device is not lost for it.
    device.pushErrorScope('validation')
    const pipeline = device.createComputePipelineAsync({
      label: kernel.name,
      layout: device.createPipelineLayout({ bindGroupLayouts }),
      compute: { module: device.createShaderModule({ label: kernel.name, code }) },
    })
    device.popErrorScope().catch(() => null)
    return { kernel, pipeline: await pipeline.catch((cause: unknown) => refuse(kernel, cause)), layout }
  }

  return {
    cacheLayout,
    compile(kernel) {
      const known = compiled.get(kernel.name) ?? compile(kernel)
      compiled.set(kernel.name, known)
      return known
    },
  }
}

function refuse({ name }: Kernel, cause: unknown): never {
  throw new EngineError('ENGINE_UNAVAILABLE', 'The driver of the GPU does not compile this program; update it.', {
    ...{ cause, details: { kernel: name } },
  })
}

function bindingType(access: Access): GPUBufferBindingType {
  return access === 'read' ? 'read-only-storage' : 'storage'
}
