/**
 * When a miner claims a lot: what a claim brings against what it costs. Pure; grains and heights. Spec: docs/spec/cli.md §10.
 * @module
 */
import { weightedRows } from '../../core/market/charge.ts'
import type { Counters } from '../../core/market/counters.ts'
import { unitsOf } from '../../core/market/work.ts'
import type { LeaseView, LotView } from '../chain/market-access.ts'
import type { PaidWork } from '../market/lease-desk.ts'

/** A claim at once when it brings so many times its fee: the fee is five parts of a hundred of it. */
const WORTH_FEES = 20n
/** A claim that brings less waits so long, half an hour of two-second blocks, for more. */
export const CLAIM_BLOCKS = 900
/** … and brings so many times its fee at least. */
const LITTLE_FEES = 2n
/** Blocks before the expiry in which what is left is claimed: who is away at the end loses little. */
const EXPIRY_BLOCKS = 30

export interface ClaimFacts {
  readonly status: LeaseView['status']
  readonly height: number
  readonly expiryHeight: number
  readonly dueHeight: number
  /** Grains that a claim now would bring beyond what was claimed. */
  readonly gain: bigint
  /** Grains. */
  readonly fee: bigint
  /** Of our last claim, or of the opening of the lease. */
  readonly since: number
}

export type ClaimStep =
  | { readonly type: 'claim' }
  /** Nothing new, or it is too early. */
  | { readonly type: 'wait' }
  /** The last chance, and the fee is more than it brings. */
  | { readonly type: 'too-little' }
  /** The time to claim is over. */
  | { readonly type: 'over' }

export function claimStep(facts: ClaimFacts): ClaimStep {
  const { status, height, expiryHeight, dueHeight, gain, fee, since } = facts
  // The block of the due height takes no claims, and the next one is the first that can have ours.
  if (status === 'auditing' || (status === 'closing' && height + 1 >= dueHeight)) return { type: 'over' }
  if (gain === 0n) return { type: 'wait' }
  if (status === 'closing') return gain < fee ? { type: 'too-little' } : { type: 'claim' }
  const isWorth = gain >= WORTH_FEES * fee
  const isOld = height - since >= CLAIM_BLOCKS || expiryHeight - height <= EXPIRY_BLOCKS
  return isWorth || (isOld && gain >= LITTLE_FEES * fee) ? { type: 'claim' } : { type: 'wait' }
}

type Paid = Pick<LeaseView, 'terms' | 'counters'>

/** Grains that a lot gets when the lease settles as it is. */
export function claimedPay(lease: Paid, lot: LotView): bigint {
  return lot.state === 'claimed' ? payOf(lot, lease, countersOf(lease), BigInt(lot.rows)) : 0n
}

/** Grains that it gets with a voucher of these counters, when receipts cover all of it. */
export function payWith(lease: Paid, lot: LotView, counters: Counters): bigint {
  return payReceipted(lease, lot, { counters, receipted: counters })
}

/** Grains that it gets with a voucher of `counters`, of which receipts cover what is done up to `receipted`. */
export function payReceipted(lease: Paid, lot: LotView, { counters, receipted }: PaidWork): bigint {
  return payOf(lot, lease, counters, weightedRows(receipted, BigInt(lease.terms.decodeWeight)))
}

function payOf({ work, rate }: LotView, { terms }: Paid, counters: Counters, rows: bigint): bigint {
  const weight = BigInt(terms.decodeWeight)
  const segments = { linear: BigInt(work.linear), attention: BigInt(work.attention) }
  const units = unitsOf([segments], counters, weight)
  const all = weightedRows(counters, weight)
  return BigInt(rate) * (rows >= all ? units : (units * rows) / all)
}

function countersOf({ counters }: Paid): Counters {
  return {
    promptRows: BigInt(counters.promptRows),
    promptPositions: BigInt(counters.promptPositions),
    decodeRows: BigInt(counters.decodeRows),
    decodePositions: BigInt(counters.decodePositions),
  }
}
