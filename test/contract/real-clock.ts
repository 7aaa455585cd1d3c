/**
 * Real time for tests that talk to real sockets.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { milliseconds } from '../../src/base/brand.ts'
import type { Clock } from '../../src/base/ports.ts'

export const realClock: Clock = {
  now: () => milliseconds(performance.now()),
  wallMs: () => milliseconds(Date.now()),
  sleep: async (delayMs, signal) => {
    await sleep(delayMs, undefined, signal ? { signal: signal as AbortSignal } : {})
  },
  schedule: (delayMs, task) => {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
}
