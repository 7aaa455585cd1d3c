/**
 * From `--gpu` of `dllm mine` to what it means for the miner. Spec: docs/spec/gpu.md §3.
 * @module
 */
import type { System } from '../system.ts'
import { gpuFlagOf } from './gpu-flag.ts'
import type { GpuMining } from './mine-on-gpus.ts'
import type { GpuList } from './tell-gpus.ts'

export interface MineGpuFlags {
  readonly gpu?: string | undefined
  readonly 'allow-software-gpu': boolean
}

export interface MineGpu extends Partial<GpuMining> {
  /** It was all that was asked for. */
  readonly list?: GpuList
}

export interface MineGpuPorts {
  readonly system: System
  /** Text as it is. */
  readonly print: (text: string) => void
  readonly emit: (value: object) => void
}

/** undefined: the processor computes. @throws UsageError, GpuError. */
export async function mineGpu(
  flags: MineGpuFlags,
  { system, print, emit }: MineGpuPorts,
): Promise<MineGpu | undefined> {
  const wish = gpuFlagOf(flags.gpu)
  const allowSoftware = flags['allow-software-gpu']
  if (wish === 'none') return undefined
  if (wish === 'list') {
    const { tellGpus } = await import('./tell-gpus.ts')
    return { list: await tellGpus({ allowSoftware, print }, system) }
  }
  const { prepareGpus } = await import('./mine-on-gpus.ts')
  const printLine = (line: string): void => print(`${line}\n`)
  return prepareGpus({ indexes: wish, allowSoftware, print: printLine, emit }, system)
}
