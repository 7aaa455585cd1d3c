/**
 * What people type after `--gpu`. Spec: docs/spec/gpu.md §3.
 * @module
 */
import { GPU_LIMITS } from '../../base/limits.ts'
import { UsageError } from '../base-command.ts'

/** `list`; `none`, or nothing said; numbers, each once. */
export type GpuFlag = 'list' | 'none' | readonly number[]

/** @throws UsageError. */
export function gpuFlagOf(text: string | undefined): GpuFlag {
  if (text === undefined || text === 'none') return 'none'
  if (text === 'list') return 'list'
  const parts = text.split(',')
  const indexes = parts.map(Number)
  const isFine = parts.every((part) => /^\d{1,3}$/.test(part)) && new Set(indexes).size === indexes.length
  if (isFine && indexes.length <= GPU_LIMITS.cardsMax) return indexes
  throw new UsageError(
    'USAGE',
    '--gpu takes the number of a GPU, several with commas between them, "list" or "none": `--gpu 0`, `--gpu 0,1`.',
  )
}
