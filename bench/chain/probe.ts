/**
 * Loaded into a process before the program: on SIGUSR2 it writes how long the event loop was held up since the signal
 * before, and the memory that the process has now, to the file that DLLM_BENCH_PROBE names (%p: the id of the process). Knows nothing of the program.
 * @module
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** What the file holds; times in milliseconds. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly rssBytes: number
}

/** A timer of this interval is watched; what is measured includes it. */
const RESOLUTION_MS = 1
const NS_PER_MS = 1e6

const file = process.env['DLLM_BENCH_PROBE']?.replace('%p', String(process.pid))
if (file !== undefined && isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  process.on('SIGUSR2', () => {
    const late = (value: number): number => Math.max(0, value / NS_PER_MS - RESOLUTION_MS)
    const delay: LoopDelay = {
      p50: late(delays.percentile(50)),
      p99: late(delays.percentile(99)),
      max: late(delays.max),
      rssBytes: process.memoryUsage.rss(),
    }
    delays.reset()
    // Whoever waits for the file finds all of it.
    writeFileSync(`${file}.part`, JSON.stringify(delay))
    renameSync(`${file}.part`, file)
  })
}
