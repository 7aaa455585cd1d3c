/**
 * What the auctions take and give, and the score by which both rank. Pure data: who may be a candidate (a live placement over the lot, a
 * free slot, an active miner, enough deposit) is decided by the caller. Spec: docs/spec/market.md §6.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'

export interface Candidate {
  readonly operator: AccountId
  /** Where its pay goes: operators that share it are one owner. */
  readonly payout: AccountId
  /** Grains per CU. */
  readonly bid: bigint
  /** Rate of work, CU per second × 2¹⁶; 0 before any was measured. */
  readonly rate: bigint
}

export interface LotOffer {
  /** Nominal work, CU; at least 1. */
  readonly units: bigint
  /** Operators differ. In any order: the outcome does not depend on it. */
  readonly candidates: readonly Candidate[]
}

export interface AuctionContext {
  readonly leaseId: Hash
  /** Of the model now, grains per CU. */
  readonly price: bigint
  readonly parameters: Parameters
}

export interface AssignedLot {
  readonly operator: AccountId
  /** Whom to ask when the operator is gone; of another owner than any that won. */
  readonly standby: AccountId | undefined
  /** Grains per CU; at least the bid, at most the miners' share of the price. */
  readonly rate: bigint
}

/** One per lot, or the first lot for which there is no miner. */
export type Assignment =
  | { readonly ok: true; readonly lots: readonly AssignedLot[] }
  | { readonly ok: false; readonly lot: number }

/** An admissible candidate of a lot: its score is at most the reserve. All in grains for the nominal work. */
export interface Scored {
  readonly candidate: Candidate
  /** What its slowness costs the payer; hangs on no bid. */
  readonly slowness: bigint
  /** `bid · units + slowness` */
  readonly score: bigint
  /** The budget of the lot. */
  readonly reserve: bigint
}

export interface Winner extends Scored {
  /** What it gets for the nominal work: the highest bid with which it would have won, times the units. */
  readonly pay: bigint
}
