import { expect, test } from 'vitest'
import {
  CLAIM_BLOCKS,
  type ClaimFacts,
  claimedPay,
  claimStep,
  payReceipted,
  payWith,
} from '../../../../src/app/mining/claim-rule.ts'
import { lease, lot } from './views.ts'

const OPEN: ClaimFacts = {
  ...{ status: 'open', height: 100, expiryHeight: 10_000, dueHeight: 10_000, gain: 0n, fee: 10n, since: 50 },
}

test.each<[string, Partial<ClaimFacts>, string]>([
  ['nothing is new', {}, 'wait'],
  ['it brings less than twenty fees', { gain: 199n }, 'wait'],
  ['it brings twenty fees', { gain: 200n }, 'claim'],
  ['it is old and brings two fees', { gain: 20n, height: 50 + CLAIM_BLOCKS }, 'claim'],
  ['it is old and brings less', { gain: 19n, height: 50 + CLAIM_BLOCKS }, 'wait'],
  ['the lease expires soon', { gain: 20n, expiryHeight: 130 }, 'claim'],
  ['the lease expires a little later', { gain: 20n, expiryHeight: 131 }, 'wait'],
  ['the lease closes', { gain: 10n, status: 'closing', dueHeight: 102 }, 'claim'],
  [
    'the lease closes, and the fee is more than it brings',
    { gain: 9n, status: 'closing', dueHeight: 102 },
    'too-little',
  ],
  ['the lease closes, and all is claimed', { status: 'closing', dueHeight: 102 }, 'wait'],
  ['the next block is the due one', { gain: 1_000n, status: 'closing', dueHeight: 101 }, 'over'],
  ['it is audited', { gain: 1_000n, status: 'auditing' }, 'over'],
])('when %s', (_case, change, type) => {
  expect(claimStep({ ...OPEN, ...change })).toEqual({ type })
})

test('pay is the rate times the units that receipts cover', () => {
  // 3 CU a row: 10 rows of prompts and 5 of decoding, which weigh 4.
  const counters = { promptRows: 10n, promptPositions: 45n, decodeRows: 5n, decodePositions: 60n }
  expect(payWith(lease(), lot(), counters)).toBe(800n * 90n)
  const receipted = { ...counters, decodeRows: 0n }
  expect(payReceipted(lease(), lot(), { counters, receipted })).toBe(800n * 30n)
})

test('what is claimed is paid for the rows that were claimed with the counters that the lease has', () => {
  const counters = { promptRows: '10', promptPositions: '45', decodeRows: '5', decodePositions: '60' }
  const view = lease({ counters })
  expect(claimedPay(view, lot({ state: 'claimed', rows: 30 }))).toBe(800n * 90n)
  expect(claimedPay(view, lot({ state: 'claimed', rows: 10 }))).toBe(800n * 30n)
  expect(claimedPay(view, lot({ state: 'unclaimed', rows: 0 }))).toBe(0n)
  expect(claimedPay(view, lot({ state: 'faulted', rows: 30 }))).toBe(0n)
})
