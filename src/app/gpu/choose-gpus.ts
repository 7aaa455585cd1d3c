/**
 * Which GPUs a miner uses, and how much memory they have for it; why one cannot be used.
 * Spec: docs/spec/gpu.md §3, §6.
 * @module
 */
import { formatBytes } from '../table.ts'
import { GpuError, noAdapter, onlySoftware, outOfRange } from './gpu-error.ts'
import type { ListedGpu } from './list-gpus.ts'

export interface ChosenGpu {
  readonly index: number
  readonly name: string
  readonly isSoftware: boolean
  /** For weights and sessions; undefined: that of the machine. */
  readonly memoryBytes: number | undefined
  /** One line for people. */
  readonly words: string
}

/** Of what is free: the rest is for the driver, and for buffers that come and go. */
const MEMORY_SHARE = 0.9

/** Guessed at the most: some drivers allow of buffers of a TiB, whatever the card has. */
const GUESS_BYTES_MAX = 4 * 1024 ** 3

export interface GpuWishes {
  readonly indexes: readonly number[]
  readonly allowSoftware: boolean
}

/** In the order of the wish. @throws GpuError for the first that cannot be used. */
export function chooseGpus(gpus: readonly ListedGpu[], { indexes, allowSoftware }: GpuWishes): ChosenGpu[] {
  if (gpus.length === 0) throw noAdapter()
  return indexes.map((index) => {
    const gpu = gpus[index]
    if (gpu === undefined) throw outOfRange(index, gpus.length)
    const { name, refused, found } = gpu
    if (refused !== undefined) throw new GpuError(refused.code as GpuError['code'], refused.message)
    const isSoftware = found?.isSoftware === true
    if (isSoftware && !allowSoftware) throw onlySoftware(name)
    const memory = isSoftware ? undefined : memoryOf(gpu)
    return { index, name, isSoftware, memoryBytes: memory?.bytes, words: wordsOf(gpu, memory) }
  })
}

interface Memory {
  readonly bytes: number
  readonly isGuess: boolean
}

/** What is free, if the system tells; else one buffer, which it can have at the least, within reason. */
function memoryOf({ reading, found }: ListedGpu): Memory | undefined {
  if (reading?.memoryBytes !== undefined) {
    const free = reading.memoryBytes - (reading.memoryUsedBytes ?? 0)
    return { bytes: Math.floor(free * MEMORY_SHARE), isGuess: false }
  }
  return found === undefined ? undefined : { bytes: Math.min(found.bufferBytesMax, GUESS_BYTES_MAX), isGuess: true }
}

function wordsOf({ index, name }: ListedGpu, memory: Memory | undefined): string {
  const what = `GPU ${index} is ${name}`
  if (memory === undefined) return `${what}, which computes on the processor and in its memory.`
  const bytes = formatBytes(memory.bytes)
  if (!memory.isGuess) return `${what}; ${bytes} of its memory are free for weights and sessions.`
  return `${what}. Its memory cannot be read and is counted as ${bytes}; say how much it has with --memory-mib.`
}
