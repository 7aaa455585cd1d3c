/**
 * Whether the cap of a lease pays for work, asked at every step. What is charged never falls as counters rise, so whoever is below counters that are
 * paid for is paid for too: the charge is computed once in a window, not at each step. Spec: docs/spec/market.md §3, §9.2.
 * @module
 */
import { type Counters, recede } from './counters.ts'
import type { PaymentTerms } from './payment-meter.ts'

/** Rows of decoding that are asked for at once. */
const AHEAD_ROWS = 64n

/** Whether the cap pays for these counters, of which the last row is at `position`. Exact at any distance from the cap. */
export type Budget = (counters: Counters, position: number) => boolean

export function createBudget({ charge, cap }: Pick<PaymentTerms, 'charge' | 'cap'>): Budget {
  let paidFor: Counters | undefined
  return (counters, position) => {
    if (paidFor !== undefined && !recede(counters, paidFor)) return true
    const ahead: Counters = {
      ...counters,
      decodeRows: counters.decodeRows + AHEAD_ROWS,
      decodePositions: counters.decodePositions + AHEAD_ROWS * (BigInt(position) + AHEAD_ROWS),
    }
    if (charge(ahead) > cap) return charge(counters) <= cap
    paidFor = ahead
    return true
  }
}
