/**
 * What a lot's miner has at stake, and whether parameters make it lose when it cheats. Pure arithmetic over parameters.
 * Spec: docs/spec/market.md §7.
 * @module
 */
import type { Parameters } from '../parameters.ts'
import { oddsOfCatching } from './audit-odds.ts'
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

/** Parts of a thousand of the cheated receipts that a recomputation tells from honest ones. */
const DETECTION = 990n
const THOUSAND = 1_000n
const MILLION = 1_000_000n
/** ‰ of the treasury's part of a charge that issuance for the same work may reach. */
const SUBSIDY_SHARE = 900n

/**
 * Why cheating or trading with oneself would pay, and what to do, as the end of a sentence; undefined when neither does. `auditShareNew`
 * is at least `auditShare`.
 */
export function incentiveFault(parameters: Parameters): string | undefined {
  return cheatingFault(parameters) ?? selfDealingFault(parameters)
}

/** `π(R + S) > R` with `S = collateralMultiple · R` and `π = p · δ · caught`, for every size that a committee can have. */
function cheatingFault(parameters: Parameters): string | undefined {
  const { auditShare, auditors, auditorsMin, collateralMultiple } = parameters
  const atStake = auditShare * DETECTION * (1n + collateralMultiple)
  for (let size = auditorsMin; size <= auditors; size++) {
    const { numerator, denominator } = oddsOfCatching({ auditors: size, auditorsMin })
    if (atStake * numerator > MILLION * denominator) continue
    return `auditShare and collateralMultiple are too small together: with ${size} auditors a miner that cheats would not lose on average; raise one of them`
  }
  return undefined
}

/** Work value for a charge to oneself: the subsidy of the miner, and what auditors of it share. */
function selfDealingFault(parameters: Parameters): string | undefined {
  const { workSubsidy, auditFee, auditShareNew, treasuryShare } = parameters
  if (THOUSAND * workSubsidy + auditFee * auditShareNew <= SUBSIDY_SHARE * treasuryShare) return undefined
  return 'workSubsidy, with auditFee times auditShareNew, is above nine tenths of treasuryShare, and who paid itself would gain: lower it'
}
