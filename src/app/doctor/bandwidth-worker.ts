/**
 * Thread of the bandwidth measurement: fills its part of the shared memory once, then, for each `run`, reads it for a
 * given time and answers with bytes per second. Started by bandwidth.ts only.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { createSystem } from '../system.ts'
import type { BandwidthTask } from './bandwidth.ts'
import { readKernel } from './read-kernel.ts'
import { webAssembly } from './webassembly.ts'

const { memory, begin, end }: BandwidthTask = workerData
const port = parentPort
assert(port !== null, 'the bandwidth worker runs as a thread')
const { clock } = createSystem()
const instance = new webAssembly.Instance(new webAssembly.Module(readKernel()), { env: { memory } })
const read = instance.exports['read'] as (begin: number, end: number) => number

// Pages that were never written all map to one page of zeros, which the cache would serve.
new Uint8Array(memory.buffer, begin, end - begin).fill(1)
port.on('message', (durationMs: number) => {
  const startMs = clock.now()
  let passes = 0
  let elapsedMs = 0
  while (elapsedMs < durationMs) {
    read(begin, end)
    passes += 1
    elapsedMs = clock.now() - startMs
  }
  port.postMessage((passes * (end - begin) * 1000) / elapsedMs)
})
port.postMessage(0)
