/**
 * What a stage counts, as a field of several messages.
 * Spec: docs/spec/wire.md §3.
 * @module
 */
import type { Reader, Writer } from '../../base/codec.ts'

/** What one stage did for one session, or a miner for all of them. */
export interface StageStatistics {
  readonly steps: number
  readonly rows: number
  /** Milliseconds in the engine, and waiting for it. */
  readonly computeMs: number
  readonly queueMs: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Of the rows, those that were computed on trial, and of these the ones that stayed. */
  readonly drafts: number
  readonly draftsKept: number
  /** Rows that were not computed, since they had been before; not among `rows`. */
  readonly recalled: number
}

export function writeStatistics(writer: Writer, statistics: StageStatistics): void {
  writer.f64(statistics.steps).f64(statistics.rows).f64(statistics.computeMs).f64(statistics.queueMs)
  writer.f64(statistics.bytesReceived).f64(statistics.bytesSent).f64(statistics.drafts).f64(statistics.draftsKept)
  writer.f64(statistics.recalled)
}

export function readStatistics(reader: Reader): StageStatistics {
  return {
    steps: reader.f64(),
    rows: reader.f64(),
    computeMs: reader.f64(),
    queueMs: reader.f64(),
    bytesReceived: reader.f64(),
    bytesSent: reader.f64(),
    drafts: reader.f64(),
    draftsKept: reader.f64(),
    recalled: reader.f64(),
  }
}
