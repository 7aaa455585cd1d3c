/**
 * How much may be uploaded: a token bucket for all uploads of a process together, first come, first served, so that who asks for one piece at a time
 * gets as much as anybody else. Knows nothing of files or peers.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'

export interface UploadBudgetOptions {
  /** Bytes per second while a stage serves; default SHARD_LIMITS.uploadBytesPerSecond. */
  readonly whileServing?: number
  /** Bytes per second at any time; default: no bound. */
  readonly always?: number
}

export interface UploadBudget {
  /** Resolves when so many bytes may go out; in the order of the calls. Rejects with the signal's reason. */
  take(bytes: number, signal?: AbortSignal): Promise<void>
  /** Tells that a stage computes just now: for a while the cap holds that leaves it its time. */
  noteStep(): void
  /** One number, shared with other threads: 1 while there is a cap, so that they must `take`; 0: they need not ask. */
  readonly isCapped: Int32Array
}

interface Waiter {
  readonly bytes: number
  readonly resolve: () => void
}

/** What may go out at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.05

export function createUploadBudget(options: UploadBudgetOptions, clock: Clock): UploadBudget {
  const { whileServing = SHARD_LIMITS.uploadBytesPerSecond, always } = options
  const isCapped = new Int32Array(new SharedArrayBuffer(4))
  const waiters: Waiter[] = []
  /** Bytes that may go out, a burst at most; less than nothing after a piece that was larger. */
  let room = Number.POSITIVE_INFINITY
  let countedMs = clock.now()
  let servedMs = Number.NEGATIVE_INFINITY
  let isWatching = false
  let isWaiting = false

  const rate = (): number => {
    const isServing = clock.now() - servedMs < DEADLINES.servingMs
    return Math.min(isServing ? whileServing : Number.POSITIVE_INFINITY, always ?? Number.POSITIVE_INFINITY)
  }
  const tellThreads = (): void => void Atomics.store(isCapped, 0, Number.isFinite(rate()) ? 1 : 0)

  const fill = (bytesPerSecond: number): void => {
    const nowMs = clock.now()
    const seconds = (nowMs - countedMs) / 1_000
    countedMs = nowMs
    room = Math.min(room + seconds * bytesPerSecond, bytesPerSecond * BURST_SECONDS)
  }
  /** Lets go whoever may; then waits until the next one may. */
  const serve = (): void => {
    while (waiters.length > 0) {
      const bytesPerSecond = rate()
      if (Number.isFinite(bytesPerSecond)) {
        fill(bytesPerSecond)
        if (room <= 0) {
          wait((-room / bytesPerSecond) * 1_000)
          return
        }
        room -= waiters[0]!.bytes
      }
      waiters.shift()!.resolve()
    }
  }
  const wait = (forMs: number): void => {
    if (isWaiting) return
    isWaiting = true
    // The rate may change meanwhile: no longer than a moment without looking again.
    const delayMs = Math.min(LOOK_MS_MAX, Math.max(1, Math.ceil(forMs)))
    clock.schedule(milliseconds(delayMs), () => {
      isWaiting = false
      serve()
    })
  }
  const watch = (): void => {
    isWatching = true
    clock.schedule(milliseconds(DEADLINES.servingMs), () => {
      isWatching = clock.now() - servedMs < DEADLINES.servingMs
      tellThreads()
      if (isWatching) watch()
    })
  }
  tellThreads()

  return {
    isCapped,
    noteStep() {
      servedMs = clock.now()
      if (isWatching) return
      tellThreads()
      watch()
    },
    take(bytes, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = (): void => {
          waiters.splice(waiters.indexOf(waiter), 1)
          reject(signal!.reason)
        }
        const waiter: Waiter = {
          bytes,
          resolve: () => {
            signal?.removeEventListener('abort', onAbort)
            resolve()
          },
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        waiters.push(waiter)
        serve()
      })
    },
  }
}

const LOOK_MS_MAX = 200
