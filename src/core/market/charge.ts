/**
 * What the work of a lease costs, and which of its vouchers counts. Arithmetic over a lease's record; changes nothing.
 * Spec: docs/spec/market.md §3, §5.
 * @module
 */
import type { LeaseRecord, LotRecord } from '../state/leases.ts'
import type { Counters } from './counters.ts'
import type { Voucher } from './voucher.ts'
import { unitsOf } from './work.ts'

/** What pays for work: a voucher, or the part of a lease's record that keeps one. */
export type Payment = Pick<Voucher, 'seq' | 'counters' | 'transcript'>

type Priced = Pick<LeaseRecord, 'terms' | 'lots'>

/** Units of all lots of a lease, each rounded up. */
export function leaseUnits({ terms, lots }: Priced, counters: Counters): bigint {
  return lots.reduce((sum, { work }) => sum + unitsOf([work], counters, terms.decodeWeight), 0n)
}

/** Grains for that work when every lot of it is claimed. */
export function chargeOf(lease: Priced, counters: Counters): bigint {
  return lease.terms.price * leaseUnits(lease, counters)
}

/** Units of a lot that are paid: the share of them that its receipts cover, rounded down. What is not covered cannot be audited. */
export function paidUnits(
  { work, rows, state }: LotRecord,
  { terms, counters }: Pick<LeaseRecord, 'terms' | 'counters'>,
): bigint {
  if (state !== 'claimed') return 0n
  const units = unitsOf([work], counters, terms.decodeWeight)
  const all = weightedRows(counters, terms.decodeWeight)
  return BigInt(rows) >= all ? units : (units * BigInt(rows)) / all
}

/** Rows as receipts count them. */
export function weightedRows({ promptRows, decodeRows }: Counters, decodeWeight: bigint): bigint {
  return promptRows + decodeWeight * decodeRows
}

/**
 * Whether a voucher takes the place of what the lease keeps: the greater work does, so that the order of claims does not matter and
 * no later voucher takes from a miner what an earlier one gave. Of equal work the one with the higher number, then any order that
 * is the same for everybody.
 */
export function outweighs(lease: Priced, voucher: Payment, kept: Payment): boolean {
  const difference = leaseUnits(lease, voucher.counters) - leaseUnits(lease, kept.counters)
  if (difference !== 0n) return difference > 0n
  for (const [one, other] of numbersOf(voucher).map((number, index) => [number, numbersOf(kept)[index]!] as const)) {
    if (one !== other) return one > other
  }
  return voucher.transcript > kept.transcript
}

function numbersOf({ seq, counters }: Payment): readonly bigint[] {
  const { promptRows, promptPositions, decodeRows, decodePositions } = counters
  return [seq, promptRows, promptPositions, decodeRows, decodePositions]
}
