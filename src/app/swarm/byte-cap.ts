/**
 * A bound of bytes per second: a token bucket. Pure: times come as arguments.
 * @module
 */
import { type Milliseconds, milliseconds } from '../../base/brand.ts'

export interface ByteCap {
  /** Whether something may be asked for now; what it is counts by `spend`. */
  isOpen(nowMs: Milliseconds): boolean
  spend(bytes: number): void
  /** How long until something may be asked for. */
  waitMs(nowMs: Milliseconds): Milliseconds
}

/** What may come at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.25

/** `bytesPerSecond`: undefined for no bound. */
export function createByteCap(bytesPerSecond: number | undefined, startMs: Milliseconds): ByteCap {
  if (bytesPerSecond === undefined) return { isOpen: () => true, spend: () => undefined, waitMs: () => milliseconds(0) }
  let room = 0
  let countedMs = startMs
  const fill = (nowMs: Milliseconds): void => {
    room = Math.min(room + ((nowMs - countedMs) / 1_000) * bytesPerSecond, BURST_SECONDS * bytesPerSecond)
    countedMs = nowMs
  }
  return {
    isOpen: (nowMs) => {
      fill(nowMs)
      return room >= 0
    },
    // A chunk may be larger than the burst: then the next one waits longer.
    spend: (bytes) => {
      room -= bytes
    },
    waitMs: (nowMs) => {
      fill(nowMs)
      return milliseconds(Math.max(0, Math.ceil((-room / bytesPerSecond) * 1_000)))
    },
  }
}
