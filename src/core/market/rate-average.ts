/**
 * Averages over audited receipts: a miner's rate of work and its reliability. Each new sample weighs an eighth.
 * Spec: docs/spec/market.md §8.
 * @module
 */

/** CU per second × 2¹⁶ fits u64 for any machine; a sample above is taken for this. */
const RATE_MAX = 2n ** 48n
const RELIABILITY_ONE = 0xffff
const SHIFT = 3

/** The next rate of work after a receipt of `units` CU that took `ms` milliseconds; the first sample is taken as it is. */
export function averageRate(rate: bigint, units: bigint, ms: number): bigint {
  const sample = ((units << 16n) * 1_000n) / BigInt(Math.max(1, ms))
  // At least 1: a rate of 0 says that nothing was measured.
  const bounded = sample > RATE_MAX ? RATE_MAX : sample < 1n ? 1n : sample
  return rate === 0n ? bounded : rate + ((bounded - rate) >> BigInt(SHIFT))
}

/** The next reliability (Q16, 65,535 is one) after an audit. */
export function averageReliability(reliability: number, passed: boolean): number {
  return reliability + (((passed ? RELIABILITY_ONE : 0) - reliability) >> SHIFT)
}
