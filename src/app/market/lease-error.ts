/**
 * Refusals of the market's part of a ring, with their sentences. A stage tells them to its client.
 * Spec: docs/spec/wire.md §4.8.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import type { VoucherFault } from '../../core/market/payment-meter.ts'

export type LeaseErrorCode =
  | VoucherFault
  | 'VOUCHER_OF_ANOTHER_LEASE'
  | 'VOUCHER_BAD_SIGNATURE'
  /** The chain knows no such lease, or this miner takes none. */
  | 'LEASE_UNKNOWN'
  /** Other miners, segments or another model than the lease's. */
  | 'LEASE_OTHER_ROUTE'
  | 'LEASE_EXPIRED'
  /** The opening was not signed with the voucher key. */
  | 'LEASE_NOT_YOURS'
  /** This miner works for leases only. */
  | 'LEASE_REQUIRED'
  /** The client has used the lease for another session since. */
  | 'LEASE_TAKEN_OVER'
  /** Vouchers speak of work of which this miner has lost its records. */
  | 'LEASE_BEHIND'
  /** No voucher came for work that was done. */
  | 'LEASE_UNPAID'
  /** The cap pays for no more. */
  | 'LEASE_SPENT'
  /** What audits may ask for does not fit on the disk any more. */
  | 'LEASE_NO_ROOM'

export class LeaseError extends HouseError<LeaseErrorCode> {}

const SENTENCES: Readonly<Record<LeaseErrorCode, string>> = {
  VOUCHER_REPLAYED: 'A voucher came whose number is not above that of the one before.',
  VOUCHER_RECEDES:
    'A voucher pays for less than one before it. If the data folder of the client was restored, open another lease.',
  VOUCHER_EMPTY: 'A voucher pays for nothing new.',
  VOUCHER_TOO_EARLY: 'A voucher pays for work that this miner has not done.',
  VOUCHER_MISCOUNTED: 'A voucher counts other rows than this miner has computed.',
  VOUCHER_ABOVE_CAP: 'A voucher promises more than the lease can pay.',
  VOUCHER_OF_ANOTHER_LEASE: 'A voucher came that is of another lease.',
  VOUCHER_BAD_SIGNATURE: 'A voucher came that the voucher key of the lease has not signed.',
  LEASE_UNKNOWN: 'This miner knows no such lease. Wait for the block that opens it, or open another one.',
  LEASE_OTHER_ROUTE: 'The lease is for other miners, segments or another model.',
  LEASE_EXPIRED: 'The lease is not open any more. Open another one.',
  LEASE_NOT_YOURS: 'The session is not signed with the voucher key of its lease.',
  LEASE_REQUIRED: 'This miner works for leases only. Open one.',
  LEASE_TAKEN_OVER: 'The lease is used by another session.',
  LEASE_BEHIND: 'This miner has lost its records of the newest work of the lease. Open another lease.',
  LEASE_UNPAID: 'Work of the lease is not paid.',
  LEASE_SPENT: 'The lease has paid for as much as its cap allows. Open another one.',
  LEASE_NO_ROOM: 'This miner has no room to keep what audits of the lease may ask for.',
}

/** The refusal of this code. */
export function leaseError(code: LeaseErrorCode): LeaseError {
  return new LeaseError(code, SENTENCES[code])
}
