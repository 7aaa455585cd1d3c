/**
 * How fast a peer sends, and how many chunks to have on the way from it: about twice what its line holds (rate × delay), as in BBR, so that it never
 * waits for a question, and no more than a few seconds' worth, so that a slow peer is not left with much. Pure: times come as arguments.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import { SHARD_LIMITS, SWARM_LIMITS } from '../../base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../ml/chunk-tree.ts'

/** What was on the way when a question was asked. */
export interface Asked {
  readonly askedMs: Milliseconds
  /** Bytes that the peer had delivered by then. */
  readonly deliveredBytes: number
}

export interface PeerPace {
  /** Chunks that may be on the way at once, at least 1. */
  readonly window: number
  /** Bytes per millisecond; undefined before the first chunk. */
  readonly rate: number | undefined
  /** When it last brought something, or was first asked after it had nothing to do. */
  readonly progressMs: Milliseconds
  asked(isFirstUnderWay: boolean, nowMs: Milliseconds): Asked
  arrived(asked: Asked, bytes: number, nowMs: Milliseconds): void
}

/** Share of a new measurement in the rate. */
const NEW_SHARE = 0.5
/** A chunk that comes at once: clocks tell whole milliseconds, or less where they are coarse. */
const LEAST_MS = 0.05

export function createPeerPace(nowMs: Milliseconds): PeerPace {
  let rate: number | undefined
  let delayMs = Number.POSITIVE_INFINITY
  let deliveredBytes = 0
  let progressMs = nowMs
  return {
    get window() {
      return rate === undefined ? 1 : windowFor(rate, delayMs)
    },
    get rate() {
      return rate
    },
    get progressMs() {
      return progressMs
    },
    asked: (isFirstUnderWay, askedMs) => {
      if (isFirstUnderWay) progressMs = askedMs
      return { askedMs, deliveredBytes }
    },
    arrived: (asked, bytes, arrivedMs) => {
      deliveredBytes += bytes
      progressMs = arrivedMs
      const tookMs = Math.max(LEAST_MS, arrivedMs - asked.askedMs)
      // All that came since it was asked, so that chunks before it in the queue do not count as slowness.
      const measured = (deliveredBytes - asked.deliveredBytes) / tookMs
      rate = rate === undefined ? measured : rate + (measured - rate) * NEW_SHARE
      if (bytes === CHUNK_BYTES || delayMs === Number.POSITIVE_INFINITY) delayMs = Math.min(delayMs, tookMs)
    },
  }
}

function windowFor(rate: number, delayMs: number): number {
  const onTheLine = Math.ceil((2 * rate * delayMs) / CHUNK_BYTES) + 1
  const worth = Math.floor((rate * SWARM_LIMITS.queueMsMax) / CHUNK_BYTES)
  return Math.max(1, Math.min(onTheLine, worth, SHARD_LIMITS.chunksAskedMax))
}
