/**
 * Doctor's checks of the machine: processor, memory and how fast it reads.
 * @module
 */
import { availableParallelism, cpus, totalmem } from 'node:os'
import { formatBytes } from '../table.ts'
import { measureBandwidth } from './bandwidth.ts'
import { type Finding, ok, warn } from './finding.ts'

const GIB = 1024 ** 3
/** The embedded model, its caches and Node fit into this with room to spare. */
const FREE_BYTES_MIN = 1 * GIB

/** `threads` is the setting; 0 means one per core. */
export function checkProcessor(threads: number): Finding {
  const cores = availableParallelism()
  const model = cpus()[0]?.model.trim() ?? 'unknown'
  const used = threads === 0 ? cores : threads
  const values = { cores, threads: used, model }
  const summary = `${cores} cores (${model}); the engine uses ${used} threads.`
  if (used <= cores) return ok('processor', summary, values)
  return warn(
    'processor',
    summary,
    'More threads than cores slow each other down: `dllm config set threads 0`.',
    values,
  )
}

export function checkMemory(): Finding {
  const limit = process.constrainedMemory()
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const freeBytes = process.availableMemory()
  const values = { totalBytes, freeBytes }
  const summary = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} memory is free.`
  if (freeBytes >= FREE_BYTES_MIN) return ok('memory', summary, values)
  return warn('memory', summary, 'Close other programs, or mine fewer segments with --segments.', values)
}

export async function checkBandwidth(): Promise<Finding> {
  const measured = await measureBandwidth()
  const { oneThreadBytesPerSecond, allThreadsBytesPerSecond, threads } = measured
  const many = `${rate(allThreadsBytesPerSecond)} with ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  const summary = `Memory reads at ${rate(oneThreadBytesPerSecond)} with one thread, ${many}.`
  return ok('memory.bandwidth', summary, { ...measured })
}

/** Decimal units, as makers of memory count. */
function rate(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e9).toFixed(1)} GB/s`
}
