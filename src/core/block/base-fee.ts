/**
 * The price of a unit: rises while blocks are fuller than the target and falls while they are emptier, by an eighth per block
 * at the double. The rule of EIP-1559. Spec: docs/spec/chain.md §3.
 * @module
 */

/** The step is this part of the price when the block holds twice the target or nothing. */
const STEP_DIVISOR = 8n

export interface FullBlock {
  /** Grains per unit, that its transactions paid. */
  readonly baseFee: bigint
  /** Units that they took. */
  readonly units: number
  /** Units at which the price stays. */
  readonly target: bigint
  /** Grains per unit, at least. */
  readonly floor: bigint
}

/** The price of the next block; every division rounds down. */
export function nextBaseFee({ baseFee, units, target, floor }: FullBlock): bigint {
  const next = baseFee + stepOf(baseFee, BigInt(units), target)
  return next > floor ? next : floor
}

function stepOf(baseFee: bigint, units: bigint, target: bigint): bigint {
  if (units === target) return 0n
  if (units < target) return -((baseFee * (target - units)) / target / STEP_DIVISOR)
  const rise = (baseFee * (units - target)) / target / STEP_DIVISOR
  return rise > 1n ? rise : 1n
}
