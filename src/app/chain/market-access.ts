/**
 * What commands ask of the market: models, miners, leases and audits, and what a lease would cost now. A light client proves single
 * records; lists, and auctions over lists, need a full node. Grains are decimal strings, prices are grains per compute unit (CU),
 * accounts are addresses. Spec: docs/spec/control.md §11.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Lack } from '../../core/market/readiness.ts'
import type { AuditRound } from '../../core/state/audits.ts'
import type { LeaseStatus, LotState } from '../../core/state/leases.ts'
import type { Device, MinerStatus } from '../../core/state/miners.ts'
import type { Canary, ModelStatus } from '../../core/state/models.ts'
import type { EarningsAccess } from './earnings-access.ts'

/** Multiply-accumulates, decimal: per row, and per row and position of it. */
export interface WorkView {
  readonly linear: string
  readonly attention: string
}

export interface ModelView {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly name: string
  readonly publisher: string
  readonly deposit: string
  /** Positions that a session may use. */
  readonly context: number
  readonly status: ModelStatus
  readonly price: string
  readonly segments: readonly WorkView[]
  /** Of the block that registered it; 0 for models that the network began with. */
  readonly registeredHeight: number
  /** Hash of the model whose place it is to take, or took. */
  readonly predecessor?: Hash
  /** Of the one that took its place. */
  readonly successor?: Hash
  readonly canary?: Canary
  /** At whose end an approved model is looked at next, or a superseded one retires. */
  readonly dueHeight?: number
  /** How often an approved model was looked at in vain. */
  readonly tries: number
}

/** Who serves an approved model, and what they report of its canary. */
export interface ReadinessView {
  readonly model: Hash
  /** Of the newest block; counted as in the next one. */
  readonly height: number
  /** Owners that each segment needs. */
  readonly needed: number
  /** By segment: payout accounts that count. */
  readonly owners: readonly number[]
  /** Miners that reported so, and the grains of their deposits. */
  readonly passed: number
  readonly passedDeposits: string
  readonly failed: number
  readonly failedDeposits: string
  /** Absent when it is ready. */
  readonly lack?: Exclude<Lack, 'overtaken'>
}

export interface MinerView {
  /** Its operator's. */
  readonly address: string
  /** Where its pay goes. */
  readonly payout: string
  /** Hexadecimal, Ed25519. */
  readonly peerKey: string
  readonly device: Device
  readonly status: MinerStatus
  readonly deposit: string
  /** Of the deposit, behind lots that are not settled and audits. */
  readonly locked: string
  readonly openLots: number
  readonly registeredHeight: number
  /** CU per second × 2¹⁶; 0 before anything was audited. */
  readonly workRate: string
  /** From 0 to 1. */
  readonly reliability: number
  readonly auditedReceipts: number
  /** Grains of this epoch's audited work, to be issued at its end. */
  readonly workValue: string
}

export interface PlacementView {
  readonly model: Hash
  readonly operator: string
  /** Segments `first` to before `end`. */
  readonly first: number
  readonly end: number
  /** Leases at once, and how many there are. */
  readonly slots: number
  readonly used: number
  readonly bid: string
  /** The last block in which it is live. */
  readonly until: number
  /** Whether it would count in the next block. */
  readonly live: boolean
  /** Grains of its miner: the lowest one gives way where no place is left. */
  readonly deposit: string
}

export interface LotView {
  readonly operator: string
  readonly standby?: string
  /** Of the operator's peer, hexadecimal. */
  readonly peerKey: string
  readonly first: number
  readonly end: number
  /** Of its segments together. */
  readonly work: WorkView
  /** Grains per CU for its miner. */
  readonly rate: string
  /** Grains of the miner's deposit that stand behind it. */
  readonly task: string
  /** Weighted rows that its receipts cover. */
  readonly rows: number
  /** Of the tree of its receipts; zeros while it is unclaimed. */
  readonly root: Hash
  readonly state: LotState
}

export interface LeaseView {
  readonly id: Hash
  readonly payer: string
  readonly model: Hash
  readonly status: LeaseStatus
  /** Hexadecimal, Ed25519: signs the vouchers. */
  readonly voucherKey: string
  /** Kept to its end; all but the price as the parameters of these names. */
  readonly terms: {
    readonly price: string
    readonly decodeWeight: string
    readonly treasuryShare: string
    readonly stakerShare: string
    readonly receiptRows: string
  }
  readonly cap: string
  readonly escrow: string
  /** Grains that it would cost if it were settled now, its audits passed. */
  readonly charge: string
  readonly openedHeight: number
  readonly expiryHeight: number
  readonly dueHeight: number
  /** Of the voucher that counts. */
  readonly seq: string
  readonly counters: {
    readonly promptRows: string
    readonly promptPositions: string
    readonly decodeRows: string
    readonly decodePositions: string
  }
  readonly openAudits: number
  readonly lots: readonly LotView[]
}

export interface QuotedLot {
  readonly operator: string
  readonly standby?: string
  readonly peerKey: string
  readonly first: number
  readonly end: number
  readonly rate: string
  /** CU of the rows that were asked for. */
  readonly units: string
  /** What its miner gets for them. */
  readonly pay: string
  readonly task: string
}

/** The auction as it would end in the next block. */
export interface QuoteView {
  readonly height: number
  readonly model: Hash
  readonly price: string
  readonly rows: number
  readonly cuts: readonly number[]
  readonly lots: readonly QuotedLot[]
  readonly units: string
  /** The most that so many rows in one session can cost: what a lease for them must set aside. */
  readonly escrow: string
  /** Parts of that. */
  readonly miners: string
  readonly treasury: string
  readonly stakers: string
  readonly burnt: string
}

export interface AuditView {
  readonly lease: Hash
  readonly lot: number
  readonly window: number
  readonly round: AuditRound
  /** Last blocks to commit, and to open and reveal. */
  readonly commitHeight: number
  readonly dueHeight: number
  readonly row: number
  /** Weighted rows that it stands for. */
  readonly standsFor: number
  /** Grains that an auditor has behind its word. */
  readonly stake: string
  /** What the miner showed. */
  readonly opening?: {
    readonly finding: Hash
    readonly units: string
    readonly rows: number
    readonly milliseconds: number
  }
  readonly auditors: readonly {
    readonly operator: string
    /** 0 before the last round. */
    readonly votes: string
    readonly committed: boolean
    readonly finding?: Hash
  }[]
}

/** A part of a long list. */
export interface PageWish {
  /** Another page's `next`; the beginning if left out. */
  readonly from?: string | undefined
  /** Entries, at most. */
  readonly limit: number
}

/** May have fewer entries than there are room for, even none, and still a `next`: a page looks at so many records. */
export interface Page<Entry> {
  readonly height: number
  readonly entries: readonly Entry[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string
}

/** Whose leases: all if both are left out. */
export interface LeaseWish extends PageWish {
  readonly payer?: AccountId | undefined
  /** Of one of its lots. */
  readonly operator?: AccountId | undefined
}

export interface AuditWish extends PageWish {
  readonly lease?: Hash | undefined
}

export interface QuoteWish {
  readonly model: Hash
  /** Segments at which lots begin, after 0. */
  readonly cuts: readonly number[]
  readonly rows: number
  /** Operators that are neither to serve nor to stand by, in any order; none if left out. */
  readonly avoid?: readonly AccountId[] | undefined
  /** Who would open it: lots and ties are drawn by the lease's id. Somebody if left out. */
  readonly payer?: AccountId | undefined
}

export interface MarketAccess extends EarningsAccess {
  models(signal?: AbortSignal): Promise<readonly ModelView[]>
  /** NO_SUCH_MODEL. */
  model(model: Hash, signal?: AbortSignal): Promise<ModelView>
  /** Of any model; what is not approved has no reports. NO_SUCH_MODEL. */
  readiness(model: Hash, signal?: AbortSignal): Promise<ReadinessView>
  /** In the order of their operators' ids. */
  miners(wish: PageWish, signal?: AbortSignal): Promise<Page<MinerView>>
  /** NO_SUCH_MINER. */
  miner(operator: AccountId, signal?: AbortSignal): Promise<MinerView>
  /** Of one model. NO_SUCH_MODEL. */
  placements(model: Hash, signal?: AbortSignal): Promise<readonly PlacementView[]>
  /** NO_SUCH_LEASE, which settled ones are as well. */
  lease(id: Hash, signal?: AbortSignal): Promise<LeaseView>
  /** In the order of their ids. */
  leases(wish: LeaseWish, signal?: AbortSignal): Promise<Page<LeaseView>>
  /** NO_SUCH_MODEL, MODEL_RETIRED, MODEL_SUPERSEDED, MODEL_NOT_ACTIVE, BAD_CUTS, BAD_AVOID, ZERO_AMOUNT (rows), NO_MINER. */
  quote(wish: QuoteWish, signal?: AbortSignal): Promise<QuoteView>
  audits(wish: AuditWish, signal?: AbortSignal): Promise<Page<AuditView>>
}
