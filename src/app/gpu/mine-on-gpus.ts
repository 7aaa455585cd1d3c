/**
 * What `dllm mine --gpu` changes in a miner: where its engines are, and how much memory they have.
 * Spec: docs/spec/gpu.md §5, §6.
 * @module
 */
import type { EngineError } from '../../ml/engine/engine.ts'
import { isForDevices } from '../../ml/engine/step-check.ts'
import { rangeOf } from '../../ml/manifest.ts'
import type { BatchRunner } from '../engine-host.ts'
import { weightBytesOf } from '../posts/post.ts'
import type { System } from '../system.ts'
import { createWorkerRunner, type WorkerOptions } from '../worker-runner.ts'
import { type ChosenGpu, chooseGpus, type GpuWishes } from './choose-gpus.ts'
import { createGpuRunner } from './gpu-runner.ts'
import { createLastingRunner } from './lasting-runner.ts'
import { listGpus } from './list-gpus.ts'
import { createSplitRunner, type RunnerPart } from './split-runner.ts'

export interface GpuMining {
  /** For weights and sessions; undefined: that of the machine. */
  readonly memoryMib: number | undefined
  /** As the chain is told. */
  readonly device: 'cpu' | 'gpu'
  readonly createRunner: typeof createWorkerRunner
}

export interface GpuMiningOptions extends GpuWishes {
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
}

const MIB = 1_048_576

/** @throws GpuError, which says what to do. */
export async function prepareGpus(options: GpuMiningOptions, { clock, log }: System): Promise<GpuMining> {
  const { print, emit } = options
  const gpus = chooseGpus(await listGpus({ tests: 'none' }, { clock }), options)
  for (const { words } of gpus) print(words)
  const memories = gpus.map(({ memoryBytes }) => memoryBytes)
  const known = memories.every((bytes) => bytes !== undefined)
  const onLost = ({ message }: EngineError): void => {
    // What drivers say has many lines.
    const [why = ''] = message.split('\n')
    log.write('warn', 'gpu.lost', { why })
    print(
      `The GPU is gone, and its sessions go on on the processor: end this miner and start it anew to use it again. ${why}`,
    )
    emit({ type: 'gpu-lost', message: why })
  }
  return {
    memoryMib: known ? Math.floor(memories.reduce((sum, bytes) => sum + bytes, 0) / MIB) : undefined,
    device: gpus.every(({ isSoftware }) => isSoftware) ? 'cpu' : 'gpu',
    async createRunner(worker) {
      const { name, config } = worker.model.manifest
      if (!isForDevices(config)) {
        print(`GPUs do not compute ${name} yet, a ${config.family} model: the processor does.`)
        emit({ type: 'gpu-unused', model: name })
        return createWorkerRunner(worker)
      }
      const device = await openOn(gpus, worker)
      return createLastingRunner(device, { openSpare: () => createWorkerRunner(worker), onLost })
    },
  }
}

async function openOn(gpus: readonly ChosenGpu[], options: WorkerOptions): Promise<BatchRunner> {
  const { home, model, cacheBytesMax } = options
  const opened: RunnerPart[] = []
  try {
    for (const { gpu, firstSegment, lastSegment } of shareOut(gpus, options)) {
      const { index, isSoftware } = gpu
      const init = { home, model, firstSegment, lastSegment, cacheBytesMax }
      const runner = await createGpuRunner({ ...init, gpu: { index, allowSoftware: isSoftware } })
      opened.push({ runner, range: rangeOf(model.manifest, firstSegment, lastSegment) })
    }
    return opened.length === 1 ? opened[0]!.runner : createSplitRunner(opened)
  } catch (error) {
    for (const { runner } of opened) await runner.close()
    throw error
  }
}

type Share = Pick<WorkerOptions, 'firstSegment' | 'lastSegment'> & { readonly gpu: ChosenGpu }

/**
 * Neighbouring segments for each GPU, bytes in proportion to its memory, as near as segments allow; at least one, so that of more GPUs than
 * segments the last ones have none.
 */
export function shareOut(
  gpus: readonly ChosenGpu[],
  { model, firstSegment, lastSegment }: Pick<WorkerOptions, 'model' | 'firstSegment' | 'lastSegment'>,
): Share[] {
  const used = gpus.slice(0, lastSegment - firstSegment)
  const room = used.map(({ memoryBytes }) => memoryBytes ?? 1)
  const all = weightBytesOf({ model, firstSegment, lastSegment })
  const shares: Share[] = []
  let first = firstSegment
  for (const [at, gpu] of used.entries()) {
    const upTo = (all * sum(room.slice(0, at + 1))) / sum(room)
    const lastMax = lastSegment - (used.length - at - 1)
    const nearness = (last: number): number =>
      Math.abs(weightBytesOf({ model, firstSegment, lastSegment: last }) - upTo)
    let last = first + 1
    while (last < lastMax && nearness(last + 1) <= nearness(last)) last++
    if (at === used.length - 1) last = lastSegment
    shares.push({ gpu, firstSegment: first, lastSegment: last })
    first = last
  }
  return shares
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
