/** What work costs, how much of a lot is paid, and which voucher counts. */
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import {
  chargeOf,
  leaseUnits,
  outweighs,
  type Payment,
  paidUnits,
  weightedRows,
} from '../../../../src/core/market/charge.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import type { LotRecord } from '../../../../src/core/state/leases.ts'

const terms = { price: 3n, decodeWeight: 4n, treasuryShare: 100n, stakerShare: 70n, receiptRows: 256n }
const lot = (linear: bigint, attention: bigint, rest: Partial<LotRecord> = {}) =>
  ({ work: { linear, attention }, rows: 0, state: 'claimed', ...rest }) as LotRecord
const lease = { terms, lots: [lot(1_000_000n, 10n), lot(500_001n, 0n)] }
const counters = { promptRows: 10n, promptPositions: 45n, decodeRows: 2n, decodePositions: 21n }

test('each lot of a lease is rounded up', () => {
  // 18 weighted rows and 129 weighted positions: 18.00129 and 9.000018 million.
  expect(leaseUnits(lease, counters)).toBe(19n + 10n)
  expect(chargeOf(lease, counters)).toBe(87n)
  expect(chargeOf(lease, ZERO_COUNTERS)).toBe(0n)
  expect(weightedRows(counters, 4n)).toBe(18n)
})

test.each([
  ['all rows', 'claimed', 18, 19n],
  ['more rows than were paid', 'claimed', 400, 19n],
  ['half of the rows', 'claimed', 9, 9n],
  ['one row', 'claimed', 1, 1n],
  ['no rows', 'claimed', 0, 0n],
  ['all rows, unclaimed', 'unclaimed', 18, 0n],
  ['all rows, found faulty', 'faulted', 18, 0n],
] as const)('a lot with receipts for %s is paid for them', (_case, state, rows, units) => {
  expect(paidUnits(lot(1_000_000n, 10n, { state, rows }), { terms, counters })).toBe(units)
})

test('a lot of no work is paid nothing', () => {
  expect(paidUnits(lot(1_000_000n, 10n), { terms, counters: ZERO_COUNTERS })).toBe(0n)
})

describe('of two vouchers', () => {
  const low = hash('00'.repeat(32))
  const one: Payment = { seq: 5n, counters, transcript: low }
  test.each<[string, Partial<Payment>]>([
    ['with more work counts, whatever its number', { seq: 1n, counters: { ...counters, decodeRows: 3n } }],
    ['of the same work with a higher number counts', { seq: 6n }],
    [
      'of the same work and number with more prompt rows counts',
      { counters: { ...counters, promptRows: 11n, decodeRows: 2n, promptPositions: 0n, decodePositions: 0n } },
    ],
    ['that differs in its transcript alone counts if that is greater', { transcript: hash('01'.repeat(32)) }],
  ])('one %s', (_case, change) => {
    const other = { ...one, ...change }
    expect(outweighs(lease, other, one)).toBe(true)
    expect(outweighs(lease, one, other)).toBe(false)
  })

  test('neither counts more than itself', () => {
    expect(outweighs(lease, one, one)).toBe(false)
  })
})
