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
