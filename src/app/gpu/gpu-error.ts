/**
 * What keeps this program from a GPU. Spec: docs/spec/gpu.md §2.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export class GpuError extends HouseError<
  | 'GPU_NO_PACKAGE'
  | 'GPU_NO_ADAPTER'
  | 'GPU_OUT_OF_RANGE'
  | 'GPU_SAME_NAME'
  | 'GPU_ONLY_SOFTWARE'
  | 'GPU_NO_DEVICE'
  | 'GPU_NOT_EXACT'
  | 'GPU_PROBE_FAILED'
> {}

export function noAdapter(): GpuError {
  return new GpuError(
    'GPU_NO_ADAPTER',
    'No GPU is within reach: the WebGPU library finds no driver. On Linux it needs a Vulkan driver: install that of the maker of the card, and the package libvulkan1; in a container, give it the device. `dllm mine --gpu none` computes on the processor.',
  )
}

export function onlySoftware(name: string): GpuError {
  return new GpuError(
    'GPU_ONLY_SOFTWARE',
    `${name} is no GPU but a driver that computes on the processor, and slower than this program's own engine. Leave --gpu out; to try it all the same, add --allow-software-gpu.`,
    { details: { name } },
  )
}

export function outOfRange(index: number, count: number): GpuError {
  const known = count === 1 ? 'The only GPU is 0' : `The GPUs are 0 to ${count - 1}`
  return new GpuError('GPU_OUT_OF_RANGE', `There is no GPU ${index}. ${known}; \`dllm mine --gpu list\` shows them.`, {
    details: { index, count },
  })
}
