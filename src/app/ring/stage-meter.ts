/**
 * Counts what one session costs one stage: steps, rows, engine time, queueing, bytes.
 * @module
 */
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Channel } from '../../net/wire.ts'
import type { KeptRows } from './kept-rows.ts'
import type { CacheRun } from './session-cache.ts'

export interface StageMeter {
  /** `rows`: of the step, with those that were not computed. */
  step(rows: number, run: CacheRun): void
  /** Totals so far; bytes are summed over the session's channels. */
  statistics(channels: readonly (Channel | undefined)[], kept: Pick<KeptRows, 'drafts' | 'draftsKept'>): StageStatistics
}

export function createMeter(): StageMeter {
  let steps = 0
  let rowsTotal = 0
  let recalled = 0
  let computeMs = 0
  let queueMs = 0
  return {
    step(rows, run) {
      if (run.recalledRows < rows) steps++
      rowsTotal += rows - run.recalledRows
      recalled += run.recalledRows
      computeMs += run.computeMs
      queueMs += run.queueMs
    },
    statistics: (channels, { drafts, draftsKept }) => ({
      steps,
      rows: rowsTotal,
      computeMs,
      queueMs,
      bytesReceived: channels.reduce((sum, channel) => sum + (channel?.bytesReceived ?? 0), 0),
      bytesSent: channels.reduce((sum, channel) => sum + (channel?.bytesSent ?? 0), 0),
      drafts,
      draftsKept,
      recalled,
    }),
  }
}

export const NO_STATISTICS: StageStatistics = {
  steps: 0,
  rows: 0,
  computeMs: 0,
  queueMs: 0,
  bytesReceived: 0,
  bytesSent: 0,
  drafts: 0,
  draftsKept: 0,
  recalled: 0,
}

export function addStatistics(a: StageStatistics, b: StageStatistics): StageStatistics {
  return {
    steps: a.steps + b.steps,
    rows: a.rows + b.rows,
    computeMs: a.computeMs + b.computeMs,
    queueMs: a.queueMs + b.queueMs,
    bytesReceived: a.bytesReceived + b.bytesReceived,
    bytesSent: a.bytesSent + b.bytesSent,
    drafts: a.drafts + b.drafts,
    draftsKept: a.draftsKept + b.draftsKept,
    recalled: a.recalled + b.recalled,
  }
}
