/**
 * What the market did and the state has forgotten, as a node's index of it tells: settlements, ended audits, pay for audited work. Grains and
 * compute units are decimal strings, accounts are addresses. Spec: docs/spec/control.md §11.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { LotState } from '../../core/state/leases.ts'
import type { Page, PageWish } from './market-access.ts'

/** When it happened, and as which of its block's records, from 0. */
export interface RecordPlace {
  readonly height: number
  readonly position: number
  /** Of the block, Unix time. */
  readonly timeMs: number
}

export interface SettledLotView {
  readonly operator: string
  readonly payout: string
  /** Segments `first` to before `end`. */
  readonly first: number
  readonly end: number
  readonly state: LotState
  readonly units: string
  /** Grains. */
  readonly pay: string
}

/** Where the escrow of a lease went. */
export interface SettlementView extends RecordPlace {
  readonly type: 'settled'
  readonly lease: Hash
  readonly payer: string
  readonly model: Hash
  readonly lots: readonly SettledLotView[]
  /** All that follows but the refund, and the pay of the lots. */
  readonly charge: string
  readonly treasury: string
  readonly stakers: string
  readonly burnt: string
  readonly refund: string
}

export interface HeardAuditorView {
  readonly operator: string
  readonly payout: string
  readonly verdict: 'right' | 'wrong' | 'undecided'
  /** Right: work value after a pass, its part of the slash after a fault. Wrong: what it lost. */
  readonly grains: string
}

export interface EndedAuditView extends RecordPlace {
  readonly type: 'audited'
  readonly lease: Hash
  readonly lot: number
  readonly window: number
  readonly model: Hash
  /** Of the lot. */
  readonly operator: string
  readonly payout: string
  readonly result: 'pass' | 'fault' | 'void'
  /** Of a fault or a void. */
  readonly reason?: string
  /** Credited by a pass: compute units, and grains of work value. */
  readonly units?: string
  readonly value?: string
  /** Lost by a fault, and what of it the auditors got; grains. */
  readonly slashed?: string
  readonly rewarded?: string
  /** Who committed to a finding. */
  readonly auditors: readonly HeardAuditorView[]
}

/** What was issued for an epoch's audited work. */
export interface WorkPayView extends RecordPlace {
  readonly type: 'issued'
  readonly epoch: number
  readonly operator: string
  readonly payout: string
  readonly value: string
  /** What of the value was paid. */
  readonly pay: string
}

export type MarketRecordView = SettlementView | EndedAuditView | WorkPayView

export interface EarningsWish extends PageWish {
  /** Operators, payout accounts or payers: what touches any of them. */
  readonly accounts: readonly AccountId[]
}

/** Newest first. */
export interface EarningsPage extends Page<MarketRecordView> {
  /** The oldest block of which the node knows. */
  readonly since: number
}

/** A part of `MarketAccess`. */
export interface EarningsAccess {
  /** LIGHT_NEEDS_NODE. */
  earnings(wish: EarningsWish, signal?: AbortSignal): Promise<EarningsPage>
  /** How a lease was settled; undefined when it was not, or the node does not know. LIGHT_NEEDS_NODE. */
  settlement(lease: Hash, signal?: AbortSignal): Promise<SettlementView | undefined>
}
