/**
 * Calls of kernels, recorded once with all that they bind and replayed for each pass. Spec: docs/spec/gpu.md §8.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import type { DeviceMemory } from './device-memory.ts'
import type { Kernel } from './kernel.ts'
import type { Compiled, KernelSet } from './kernels.ts'

/** One call of a kernel, for any number of rows. */
export interface Call {
  readonly pipeline: GPUComputePipeline
  /** The same for many rows at once, where there is such a form. */
  readonly wide: { readonly pipeline: GPUComputePipeline; readonly tile: number } | undefined
  readonly group: GPUBindGroup
  /** Which layer's cache it works on, counted from the stage's first. */
  readonly layer: number | undefined
  /** Workgroups per row. */
  readonly width: number
}

export interface CallPlan {
  readonly kernel: Kernel
  readonly wide?: { readonly kernel: Kernel; readonly tile: number }
  readonly parameters: Readonly<Record<string, number>>
  readonly buffers: Readonly<Record<string, GPUBuffer>>
  readonly layer?: number
  readonly width: number
}

export interface Recorder {
  record(plan: CallPlan): Promise<Call>
}

/** `now`: the uniform that changes with each pass. */
export function createRecorder(memory: DeviceMemory, kernels: KernelSet, now: GPUBuffer): Recorder {
  const uniforms = new Map<string, GPUBuffer>()

  // Layers are alike, so that few uniforms serve all calls.
  const uniformOf = (words: readonly number[]): GPUBuffer => {
    const key = words.join()
    const buffer = uniforms.get(key) ?? memory.uniform(Uint32Array.from(words))
    uniforms.set(key, buffer)
    return buffer
  }

  const bind = ({ kernel, layout }: Compiled, plan: CallPlan): GPUBindGroup => {
    const buffers = kernel.bindings.map(({ name }) => named(plan.buffers, name, kernel.name))
    const words = kernel.parameters.map((name) => named(plan.parameters, name, kernel.name))
    return memory.device.createBindGroup({
      layout,
      entries: [now, uniformOf(words), ...buffers].map((buffer, binding) => ({ binding, resource: { buffer } })),
    })
  }

  return {
    async record(plan) {
      const compiled = await kernels.compile(plan.kernel)
      const wide = plan.wide && { pipeline: (await kernels.compile(plan.wide.kernel)).pipeline, tile: plan.wide.tile }
      const { layer, width } = plan
      return { pipeline: compiled.pipeline, wide, group: bind(compiled, plan), layer, width }
    },
  }
}

function named<Value>(values: Readonly<Record<string, Value>>, name: string, kernel: string): Value {
  const value = values[name]
  assert(value !== undefined, `${kernel} is given its ${name}`)
  return value
}

/** Puts calls for so many rows into a pass. `caches`: bind groups by layer. */
export function replay(
  pass: GPUComputePassEncoder,
  calls: readonly Call[],
  on: { rows: number; caches: readonly GPUBindGroup[] },
): void {
  let pipeline: GPUComputePipeline | undefined
  let layer: number | undefined
  for (const call of calls) {
    const many = on.rows > 1 ? call.wide : undefined
    const next = many?.pipeline ?? call.pipeline
    if (next !== pipeline) pass.setPipeline(next)
    pipeline = next
    pass.setBindGroup(0, call.group)
    if (call.layer !== undefined && call.layer !== layer) {
      pass.setBindGroup(1, on.caches[call.layer])
      layer = call.layer
    }
    pass.dispatchWorkgroups(call.width, Math.ceil(on.rows / (many?.tile ?? 1)))
  }
}
