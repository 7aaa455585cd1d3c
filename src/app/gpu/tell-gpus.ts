/**
 * `dllm mine --gpu list`: the GPUs of this machine, and what would be used and why.
 * Spec: docs/spec/gpu.md §3.
 * @module
 */
import type { Clock } from '../../base/ports.ts'
import { type Cell, formatBytes, table } from '../table.ts'
import { noAdapter } from './gpu-error.ts'
import { type ListedGpu, listGpus } from './list-gpus.ts'

export interface GpuList {
  readonly gpus: readonly (ListedGpu & { readonly verdict: string })[]
}

export interface TellOptions {
  readonly allowSoftware: boolean
  readonly print: (text: string) => void
}

/** @throws GpuError GPU_NO_PACKAGE, GPU_PROBE_FAILED. */
export async function tellGpus(
  { allowSoftware, print }: TellOptions,
  ports: { readonly clock: Clock },
): Promise<GpuList> {
  const gpus = await listGpus({ tests: allowSoftware ? 'all' : 'hardware' }, ports)
  if (gpus.length === 0) print(`${noAdapter().message}\n`)
  print(table(gpus.map(rowOf)))
  const told = gpus.map((gpu) => ({ ...gpu, verdict: verdictOf(gpu, allowSoftware) }))
  for (const { index, verdict } of told) print(`${index === 0 ? '\n' : ''}${index}: ${verdict}\n`)
  print('Without --gpu a miner computes on the processor.\n')
  return { gpus: told }
}

function rowOf({ index, name, found, reading }: ListedGpu): Record<string, Cell> {
  const has = (feature: string): string => (found?.features.includes(feature) ? 'yes' : 'no')
  const { subgroupSizeMin: least = 0, subgroupSizeMax: most = 0 } = found ?? {}
  const sizes = least === most ? String(most) : `${least}-${most}`
  return {
    ...{ gpu: index, name, driver: found?.driver },
    memory: reading?.memoryBytes === undefined ? undefined : formatBytes(reading.memoryBytes),
    used: reading?.memoryUsedBytes === undefined ? undefined : formatBytes(reading.memoryUsedBytes),
    load: reading?.load === undefined ? undefined : `${reading.load} %`,
    heat: reading?.celsius === undefined ? undefined : `${Math.round(reading.celsius)} °C`,
    f16: has('shader-f16'),
    subgroups: most === 0 ? 'no' : sizes,
    dp4a: found?.hasPackedDot ? 'yes' : 'no',
    buffer: found === undefined ? undefined : formatBytes(found.bufferBytesMax),
    binding: found === undefined ? undefined : formatBytes(found.bindingBytesMax),
    numbers: found === undefined ? undefined : (found.arithmetic ?? 'not tested'),
  }
}

/** Whether it would be used, and why not. */
export function verdictOf({ index, refused, found }: ListedGpu, allowSoftware: boolean): string {
  if (refused !== undefined) return refused.message
  if (found?.isSoftware && !allowSoftware) {
    return 'No GPU, but a driver that computes on the processor, slower than the wasm engine. Used only with --allow-software-gpu.'
  }
  return `Usable: \`dllm mine --gpu ${index}${found?.isSoftware ? ' --allow-software-gpu' : ''}\`. Its numbers are those of the other engines.`
}
