/**
 * Runs functions of the WGSL of the exact engine over arrays of bits, on one device.
 * @module
 */

import { createDeviceMemory, MAP_READ } from '../../../src/ml/engine/webgpu/device-memory.ts'
import { type Kernel, type KernelOptions, read, write } from '../../../src/ml/engine/webgpu/kernel.ts'
import { createKernelSet } from '../../../src/ml/engine/webgpu/kernels.ts'
import { createRecorder, replay } from '../../../src/ml/engine/webgpu/recorder.ts'
import { PRODUCT_SOURCE } from '../../../src/ml/engine/webgpu/wgsl-product.ts'

/** In the order of the kernel's switch; arguments are bits, of `product` the high and low part of S and two scales. */
export const FUNCTIONS = ['add', 'multiply', 'divide', 'squareRoot', 'exponential', 'nearest', 'product'] as const
export type LabFunction = (typeof FUNCTIONS)[number]

const THREADS = 64

const LAB: Kernel = {
  name: 'lab',
  parameters: ['which', 'count'],
  bindings: [read('inputs', 'array<vec4<u32>>'), write('outputs')],
  hasCache: false,
  workgroupSize: THREADS,
  declarations: PRODUCT_SOURCE,
  body: /* wgsl */ `
  let index = group.x * ${THREADS}u + local;
  if (index >= op.count) { return; }
  let a = inputs[index];
  var result = 0u;
  switch op.which {
    case 0u: { result = add(a.x, a.y); }
    case 1u: { result = multiply(a.x, a.y); }
    case 2u: { result = divide(a.x, a.y); }
    case 3u: { result = square_root(a.x); }
    case 4u: { result = exponential(a.x); }
    case 5u: { result = u32(nearest_integer(a.x, a.y)); }
    default: { result = product(bitcast<i32>(a.x), bitcast<i32>(a.y), a.z, a.w); }
  }
  outputs[index] = result;
`,
}

/** A function that takes rows of four words and gives one word for each. */
export function openLab(
  device: GPUDevice,
  options: KernelOptions,
): (name: LabFunction, inputs: readonly (readonly number[])[]) => Promise<Uint32Array> {
  const kernels = createKernelSet(device, options)
  return async (name, inputs) => {
    const memory = createDeviceMemory(device)
    const count = inputs.length
    const [data, outputs] = [memory.holding(wordsOf(inputs)), memory.storage(count * 4)]
    const now = memory.uniform(new Uint32Array(5))
    const call = await createRecorder(memory, kernels, now).record({
      kernel: LAB,
      parameters: { which: FUNCTIONS.indexOf(name), count },
      buffers: { inputs: data, outputs },
      width: Math.ceil(count / THREADS),
    })
    const back = memory.staging(count * 4)
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    replay(pass, [call], { rows: 1, caches: [] })
    pass.end()
    encoder.copyBufferToBuffer(outputs, 0, back, 0, count * 4)
    device.queue.submit([encoder.finish()])
    await back.mapAsync(MAP_READ)
    const found = new Uint32Array(back.getMappedRange(0, count * 4)).slice()
    memory.freeAll()
    return found
  }
}

function wordsOf(inputs: readonly (readonly number[])[]): Uint32Array {
  const words = new Uint32Array(inputs.length * 4)
  for (const [index, row] of inputs.entries()) words.set(row, index * 4)
  return words
}
