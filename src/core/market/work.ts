/**
 * Work: multiply-accumulates of a run of segments, and the units (CU) that are charged. All sums are cumulative: the work of a window
 * is a difference of two. Exact at any size; what is stored of it is bounded by its user. Spec: docs/spec/market.md §3.
 * @module
 */
import type { Counters } from './counters.ts'
import { ZERO_COUNTERS } from './counters.ts'

/** Multiply-accumulates of one segment of a model. */
export interface SegmentWork {
  /** Per row. */
  readonly linear: bigint
  /** Per row and position of it. */
  readonly attention: bigint
}

export const MACS_PER_UNIT = 1_000_000n

/** Weighted multiply-accumulates of these segments: `N·(P + λD) + A·(PS + λ·DS)`. */
export function macsOf(segments: readonly SegmentWork[], counters: Counters, decodeWeight: bigint): bigint {
  let linear = 0n
  let attention = 0n
  for (const segment of segments) {
    linear += segment.linear
    attention += segment.attention
  }
  const rows = counters.promptRows + decodeWeight * counters.decodeRows
  const positions = counters.promptPositions + decodeWeight * counters.decodePositions
  return linear * rows + attention * positions
}

/** Units (CU) of these segments, rounded up. */
export function unitsOf(segments: readonly SegmentWork[], counters: Counters, decodeWeight: bigint): bigint {
  return (macsOf(segments, counters, decodeWeight) + MACS_PER_UNIT - 1n) / MACS_PER_UNIT
}

/** The work that miners are ranked by: `rows` decode steps from an empty cache. */
export function nominalCounters(rows: bigint): Counters {
  return { ...ZERO_COUNTERS, decodeRows: rows, decodePositions: (rows * rows) / 2n }
}
