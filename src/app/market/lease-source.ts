/**
 * Where the market's part of a ring learns of leases: a port. Behind it stand a node, a light client with proofs, or a table in a test. Also what
 * the ring needs of a lease: who serves which lot, what it costs, how long it is open.
 * Spec: docs/spec/market.md §9.1.
 * @module
 */
import type { AccountId, Hash, Milliseconds } from '../../base/brand.ts'
import type { Counters } from '../../core/market/counters.ts'
import type { PaymentTerms } from '../../core/market/payment-meter.ts'
import { unitsOfDecodeRow } from '../../core/market/payment-window.ts'
import { type SegmentWork, unitsOf } from '../../core/market/work.ts'
import type { LeaseTerms } from '../../core/state/leases.ts'

export interface LeasedLot {
  readonly operator: AccountId
  /** Of its peer, Ed25519, 32 bytes. */
  readonly peerKey: Uint8Array
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** Sums over its segments. */
  readonly work: SegmentWork
  /** Grains per compute unit that its miner gets. */
  readonly rate: bigint
}

/** A lease that is open. */
export interface OpenLease {
  readonly id: Hash
  /** Hash of the network's genesis, which signatures name. */
  readonly networkId: Hash
  readonly model: Hash
  readonly payer: AccountId
  readonly terms: LeaseTerms
  /** In the order of the segments. */
  readonly lots: readonly LeasedLot[]
  /** Grains. */
  readonly cap: bigint
  /** Ed25519, 32 bytes: signs the vouchers. */
  readonly voucherKey: Uint8Array
  /** Unix time until which it is open, as far as heights tell. */
  readonly openUntilMs: Milliseconds
}

export type LeaseLookup =
  | { readonly ok: true; readonly lease: OpenLease }
  /** `expired`: known, and not open any more. */
  | { readonly ok: false; readonly why: 'unknown' | 'expired' }

export interface LeaseSource {
  /** Rejects where the chain cannot be asked. */
  find(id: Hash, signal?: AbortSignal): Promise<LeaseLookup>
}

/** What work in this lease costs. */
export function paymentTermsOf({ terms, lots, cap }: OpenLease): PaymentTerms {
  const charge = (counters: Counters): bigint =>
    terms.price * lots.reduce((sum, { work }) => sum + unitsOf([work], counters, terms.decodeWeight), 0n)
  return { charge, cap, decodeRowUnits: unitsOfDecodeRow(lots.map(({ work }) => work)) }
}
