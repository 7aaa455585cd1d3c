/**
 * What a lot's miner has at stake, and whether parameters make it lose when it cheats. Pure arithmetic over parameters.
 * Spec: docs/spec/market.md §7.
 * @module
 */
import type { Parameters } from '../parameters.ts'
import { ZERO_COUNTERS } from './counters.ts'
import { minersShare } from './price.ts'
import { type SegmentWork, unitsOf } from './work.ts'

/** The lot that a task is for, or a whole model. */
export interface TaskOf {
  /** Grains per CU. */
  readonly price: bigint
  readonly segments: readonly SegmentWork[]
  /** Positions of the model's context. */
  readonly context: bigint
}

/**
 * Grains of its deposit that a miner has locked behind a lot: `collateralMultiple` times the most that a receipt can earn. It may pass
 * u64, which no deposit does: then no miner is a candidate and nothing is stored.
 */
export function taskOf({ price, segments, context }: TaskOf, parameters: Parameters): bigint {
  const rows = parameters.receiptRows
  const counters = { ...ZERO_COUNTERS, promptRows: rows, promptPositions: rows * context }
  const rate = (price * minersShare(parameters) + 999n) / 1_000n
  return rate * unitsOf(segments, counters, parameters.decodeWeight) * parameters.collateralMultiple
}
