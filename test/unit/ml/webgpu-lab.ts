/**
 * Runs parts of the WGSL of the exact engine over arrays of bits, on one device: functions, and the search for the largest logit.
 * @module
 */

import { createDeviceMemory, type DeviceMemory, MAP_READ } from '../../../src/ml/engine/webgpu/device-memory.ts'
import { type Kernel, type KernelOptions, read, write } from '../../../src/ml/engine/webgpu/kernel.ts'
import { createKernelSet } from '../../../src/ml/engine/webgpu/kernels.ts'
import { type Call, createRecorder, replay } from '../../../src/ml/engine/webgpu/recorder.ts'
import { LARGEST, LARGEST_OF_SHARE, sharesOf } from '../../../src/ml/engine/webgpu/wgsl-largest.ts'
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
    const found = (await wordsAfter(memory, [call], 1, outputs)).slice(0, count)
    memory.freeAll()
    return found
  }
}

/** A function that finds the largest logit of each of so many rows, and the words of the rows' status. */
export function openLargest(
  device: GPUDevice,
  options: KernelOptions,
): (logits: Float32Array, rows: number) => Promise<{ ids: Uint32Array; status: Uint32Array }> {
  const kernels = createKernelSet(device, options)
  return async (logits, rows) => {
    const memory = createDeviceMemory(device)
    const length = logits.length / rows
    const shares = sharesOf(length)
    const recorder = createRecorder(memory, kernels, memory.uniform(new Uint32Array(5)))
    const buffers = {
      ...{ logits: memory.holding(logits), candidates: memory.storage(rows * shares * 8) },
      ...{ largest: memory.storage(rows * 4), status: memory.storage(rows * 8) },
    }
    const calls = [
      await recorder.record({ kernel: LARGEST_OF_SHARE, parameters: { length, shares }, buffers, width: shares }),
      await recorder.record({ kernel: LARGEST, parameters: { shares }, buffers, width: 1 }),
    ]
    const ids = (await wordsAfter(memory, calls, rows, buffers.largest)).slice(0, rows)
    const status = (await wordsAfter(memory, [], rows, buffers.status)).slice(0, rows * 2)
    memory.freeAll()
    return { ids, status: status.filter((_word, at) => at % 2 === 0) }
  }
}

/** What a buffer holds after these calls. */
async function wordsAfter(
  memory: DeviceMemory,
  calls: readonly Call[],
  rows: number,
  buffer: GPUBuffer,
): Promise<Uint32Array> {
  const { device } = memory
  const back = memory.staging(buffer.size)
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  replay(pass, calls, { rows, caches: [] })
  pass.end()
  encoder.copyBufferToBuffer(buffer, 0, back, 0, buffer.size)
  device.queue.submit([encoder.finish()])
  await back.mapAsync(MAP_READ)
  return new Uint32Array(back.getMappedRange()).slice()
}

function wordsOf(inputs: readonly (readonly number[])[]): Uint32Array {
  const words = new Uint32Array(inputs.length * 4)
  for (const [index, row] of inputs.entries()) words.set(row, index * 4)
  return words
}
