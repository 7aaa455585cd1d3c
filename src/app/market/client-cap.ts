/**
 * How much a client sets aside: what an answer can cost at most, and what follows for a lease that is to last for several. Integers; pure.
 * Spec: docs/spec/market.md §9.1.
 * @module
 */
import { type Counters, ZERO_COUNTERS } from '../../core/market/counters.ts'
import { addRows } from '../../core/market/payment-window.ts'
import { type SegmentWork, unitsOf } from '../../core/market/work.ts'

/** Rows that an answer may take, from an empty cache. */
export interface ChatNeed {
  readonly promptRows: number
  readonly decodeRows: number
}

/** What work costs: by the parts of a model that are charged, grains per unit. */
export interface Tariff {
  readonly parts: readonly SegmentWork[]
  readonly price: bigint
  readonly decodeWeight: bigint
}

/** Answers like the one asked for that a lease shall pay. */
const ANSWERS = 20n
/** One part in so many of the balance is set aside, unless the answer needs more. */
const BALANCE_PARTS = 10n

export function countersOf({ promptRows, decodeRows }: ChatNeed): Counters {
  const prompt = addRows(ZERO_COUNTERS, { kind: 'prompt', position: 0, rows: promptRows })
  return addRows(prompt, { kind: 'decode', position: promptRows, rows: decodeRows })
}

/** Grains. With one part per segment it is the most, however lots are cut: each lot rounds its units up. */
export function costOf({ parts, price, decodeWeight }: Tariff, need: ChatNeed): bigint {
  const counters = countersOf(need)
  return price * parts.reduce((sum, part) => sum + unitsOf([part], counters, decodeWeight), 0n)
}

/** What is worth leaving for the next price: a quarter more than now. */
export function priceMaxOf(price: bigint): bigint {
  return price + (price + 3n) / 4n
}

/** Grains of a lease, when nobody says how many. `needed`: for the answer at the highest price that is accepted. */
export function usualCap({
  cost,
  needed,
  balance,
}: { readonly [name in 'cost' | 'needed' | 'balance']: bigint }): bigint {
  const wanted = ANSWERS * cost
  const share = balance / BALANCE_PARTS
  const cap = wanted < share ? wanted : share
  return cap > needed ? cap : needed
}
