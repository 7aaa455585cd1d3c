/**
 * Prices: how the price of a model follows the use of its slots, and how a charge is split. Integers; a price is grains per CU.
 * Spec: docs/spec/market.md §3.
 * @module
 */
import { type Grains, grains } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'

/** What the price looks at of a live placement: segments `first` to before `end`. */
export interface PlacementUse {
  readonly first: number
  readonly end: number
  readonly slots: number
  /** May be above `slots` after those were lowered. */
  readonly used: number
  /** Grains per CU. */
  readonly bid: bigint
}

/** Slots that cover a segment, and how many of them have a lease. */
export interface Utilisation {
  readonly used: number
  readonly slots: number
}

const PER_MILLE = 1_000n
const FULL: Utilisation = { used: 1, slots: 1 }

/**
 * The use at the scarcest of `segments` segments, the lower one of two alike. Slots whose bid is above `bidMax` are no offer at this price:
 * they count only while they are used, and a segment with no others is full. undefined when no slot covers some segment.
 */
export function utilisation(
  placements: Iterable<PlacementUse>,
  segments: number,
  bidMax: bigint,
): Utilisation | undefined {
  const uses = Array.from({ length: segments }, () => ({ used: 0, slots: 0, isServed: false }))
  for (const { first, end, slots, used, bid } of placements) {
    for (const use of uses.slice(first, end)) {
      use.slots += bid <= bidMax ? slots : Math.min(used, slots)
      use.used += used
      if (slots > 0) use.isServed = true
    }
  }
  let scarcest: Utilisation | undefined
  for (const { used, slots, isServed } of uses) {
    if (!isServed) return undefined
    const use = slots === 0 ? FULL : { used, slots }
    // Below 2^26 each (1,024 placements of u16), so that the products are exact.
    if (scarcest === undefined || use.used * scarcest.slots > scarcest.used * use.slots) scarcest = use
  }
  return scarcest
}

/** The highest bid that is within the budget however slow its miner is. */
export function bidWithin(price: bigint, parameters: Parameters): bigint {
  return budgetOf(PER_MILLE - parameters.latencyWeight, price, parameters) / PER_MILLE
}

/**
 * The next price: by at most one part in `priceDivisor` towards half of the slots in use, by a grain at least, within `priceMin` and
 * `priceMax`. A price of 0 stays 0 while `priceMin` is 0, and no other price gets there.
 */
export function nextPrice(price: bigint, use: Utilisation | undefined, parameters: Parameters): bigint {
  const { priceMin, priceMax } = parameters
  if (price === 0n && priceMin === 0n) return 0n
  const floor = priceMin > 0n ? priceMin : 1n
  const next = use === undefined ? price : moved(price, use, parameters.priceDivisor)
  const raised = next < floor ? floor : next
  return raised > priceMax ? priceMax : raised
}

/** What of a charge does not go to miners; each part rounded down. */
export function splitCharge(
  charge: bigint,
  parameters: Pick<Parameters, 'treasuryShare' | 'stakerShare'>,
): { treasury: Grains; stakers: Grains } {
  return {
    treasury: grains((charge * parameters.treasuryShare) / PER_MILLE),
    stakers: grains((charge * parameters.stakerShare) / PER_MILLE),
  }
}

/** The most that miners can get for `units` CU: what the treasury and stakers leave. At most the charge, `units · price`. */
export function budgetOf(units: bigint, price: bigint, parameters: Parameters): bigint {
  return (price * units * minersShare(parameters)) / PER_MILLE
}

/** ‰ of a charge; `parametersFault` keeps it at 500 or more. */
export function minersShare(parameters: Parameters): bigint {
  return PER_MILLE - parameters.treasuryShare - parameters.stakerShare
}

/** With target `slots / 2`, `(used − target) / target` is `(2·used − slots) / slots`. */
function moved(price: bigint, { used, slots }: Utilisation, divisor: bigint): bigint {
  const above = BigInt(2 * Math.min(used, slots) - slots)
  if (above === 0n) return price
  const distance = above > 0n ? above : -above
  const step = (price * distance) / (BigInt(slots) * divisor)
  const taken = step > 1n ? step : 1n
  return above > 0n ? price + taken : price - taken
}
