/**
 * What was computed in a lease so far: rows of prompts and of decode steps, and the sums of their positions. Counters never fall.
 * Knows nothing of prices. Spec: docs/spec/market.md §1, §3.
 * @module
 */
import type { Reader, Writer } from '../../base/codec.ts'

export interface Counters {
  readonly promptRows: bigint
  /** Sum of the positions of those rows. */
  readonly promptPositions: bigint
  readonly decodeRows: bigint
  readonly decodePositions: bigint
}

export const ZERO_COUNTERS: Counters = { promptRows: 0n, promptPositions: 0n, decodeRows: 0n, decodePositions: 0n }

/** 32 bytes: four u64. */
export function writeCounters(writer: Writer, counters: Counters): Writer {
  return writer
    .u64(counters.promptRows)
    .u64(counters.promptPositions)
    .u64(counters.decodeRows)
    .u64(counters.decodePositions)
}

export function readCounters(reader: Reader): Counters {
  return {
    promptRows: reader.u64(),
    promptPositions: reader.u64(),
    decodeRows: reader.u64(),
    decodePositions: reader.u64(),
  }
}

/** Whether any counter of `after` is below the one of `before`. */
export function recede(before: Counters, after: Counters): boolean {
  return (
    after.promptRows < before.promptRows ||
    after.promptPositions < before.promptPositions ||
    after.decodeRows < before.decodeRows ||
    after.decodePositions < before.decodePositions
  )
}
