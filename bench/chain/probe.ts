/**
 * Loaded into a node's process before the program: on SIGUSR2 it writes how long the event loop was held up since the signal
 * before, to the file that DLLM_BENCH_PROBE names. Knows nothing of the program.
 * @module
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What the file holds; milliseconds. */
export interface LoopDelay {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** A timer of this interval is watched; what is measured includes it. */
const RESOLUTION_MS = 1
const NS_PER_MS = 1e6

const file = process.env['DLLM_BENCH_PROBE']
if (file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  process.on('SIGUSR2', () => {
    const late = (value: number): number => Math.max(0, value / NS_PER_MS - RESOLUTION_MS)
    const delay: LoopDelay = {
      p50: late(delays.percentile(50)),
      p99: late(delays.percentile(99)),
      max: late(delays.max),
    }
    delays.reset()
    // Whoever waits for the file finds all of it.
    writeFileSync(`${file}.part`, JSON.stringify(delay))
    renameSync(`${file}.part`, file)
  })
}
