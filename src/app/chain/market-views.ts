/**
 * What the market's tables say, as views for commands and JSON. The views of single records need nothing but look-ups, so that a light
 * client can make them of proofs. Spec: docs/spec/control.md §11.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { chargeOf, leaseUnits, paidUnits } from '../../core/market/charge.ts'
import { termsOf } from '../../core/market/open.ts'
import { splitCharge } from '../../core/market/price.ts'
import { readinessOf } from '../../core/market/readiness.ts'
import { nominalCounters, type SegmentWork, unitsOf } from '../../core/market/work.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { Parameters } from '../../core/parameters.ts'
import type { AuditId, AuditRecord, Opening } from '../../core/state/audits.ts'
import type { LeaseRecord, LotRecord } from '../../core/state/leases.ts'
import { FULL_RELIABILITY, getStanding, type MinerRecord } from '../../core/state/miners.ts'
import type { ModelRecord } from '../../core/state/models.ts'
import { isLive, type PlacementId, type PlacementRecord } from '../../core/state/placements.ts'
import type { ReadState } from '../../core/state/state.ts'
import { requireKnownModel, requireLease, requireMiner } from '../../core/transaction/refusals.ts'
import type {
  AuditView,
  LeaseView,
  LotView,
  MinerView,
  ModelView,
  PlacementView,
  QuotedLot,
  QuoteView,
  ReadinessView,
  WorkView,
} from './market-access.ts'

/** A state whose records are looked up, and the kind of its addresses. */
export interface LookedUp {
  readonly state: ReadState
  readonly kind: NetworkKind
}

export function viewModel(model: Hash, record: ModelRecord, kind: NetworkKind): ModelView {
  const { publisher, deposit, name, context, status, price, segments, registeredHeight, tries } = record
  const { predecessor, successor, canary, dueHeight } = record
  return {
    ...{ model, name, context, status, publisher: addressOfAccount(publisher, kind) },
    ...{ deposit: String(deposit), price: String(price), segments: segments.map(viewWork), registeredHeight },
    ...(predecessor === undefined ? {} : { predecessor }),
    ...(successor === undefined ? {} : { successor }),
    ...(canary === undefined ? {} : { canary }),
    ...(dueHeight === undefined ? {} : { dueHeight }),
    tries,
  }
}

/** `height`: of the newest block. */
export function viewReadiness(
  state: ReadState,
  model: Hash,
  { height, parameters }: { readonly height: number; readonly parameters: Parameters },
): ReadinessView {
  const at = { height: height + 1, parameters }
  const { owners, reports, lack } = readinessOf(state, { model, record: requireKnownModel(state, model) }, at)
  const { passed, passedDeposits, failed, failedDeposits } = reports
  return {
    ...{ model, height, needed: Number(parameters.readyOwners), owners, passed, failed },
    ...{ passedDeposits: String(passedDeposits), failedDeposits: String(failedDeposits) },
    ...(lack === undefined ? {} : { lack }),
  }
}

export function viewMiner(operator: AccountId, record: MinerRecord, kind: NetworkKind): MinerView {
  const { payout, peerKey, device, status, openLots, registeredHeight, auditedReceipts } = record
  return {
    ...{ address: addressOfAccount(operator, kind), payout: addressOfAccount(payout, kind) },
    ...{ peerKey: bytesToHex(peerKey), device, status, openLots, registeredHeight, auditedReceipts },
    ...{ deposit: String(record.deposit), locked: String(record.locked) },
    ...{ workRate: String(record.workRate), workValue: String(record.workValue) },
    reliability: record.reliability / FULL_RELIABILITY,
  }
}

/** `height`: of the next block. */
export function viewPlacement(
  { state, kind, height }: LookedUp & { readonly height: number },
  { model, operator }: PlacementId,
  record: PlacementRecord,
): PlacementView {
  const { first, end, slots, used, bid, until } = record
  const miner = getStanding(state, operator)
  return {
    ...{ model, operator: addressOfAccount(operator, kind), first, end, slots, used, bid: String(bid), until },
    live: isLive(record, miner, height),
    deposit: String(miner?.deposit ?? 0n),
  }
}

/** @throws TransactionError NO_SUCH_LEASE. */
export function viewLease({ state, kind }: LookedUp, id: Hash): LeaseView {
  const lease = requireLease(state, id)
  const { payer, model, status, voucherKey, terms, openedHeight, expiryHeight, dueHeight, counters } = lease
  return {
    ...{ id, payer: addressOfAccount(payer, kind), model, status, voucherKey: bytesToHex(voucherKey) },
    terms: texts(terms),
    ...{ cap: String(lease.cap), escrow: String(lease.escrow), charge: String(chargeNow(lease)) },
    ...{ openedHeight, expiryHeight, dueHeight, seq: String(lease.seq), counters: texts(counters) },
    openAudits: lease.openAudits,
    lots: lease.lots.map((lot, index) => ({
      ...viewPlace({ state, kind }, lot, lease.lots[index - 1]),
      ...{ work: viewWork(lot.work), rate: String(lot.rate), task: String(lot.task) },
      ...{ rows: lot.rows, root: lot.root, state: lot.state },
    })),
  }
}

/** `lots`: as the auction gives them for `rows` rows. */
export function viewQuote(
  { state, kind, height, parameters }: LookedUp & { readonly height: number; readonly parameters: Parameters },
  { model, rows, cuts }: Pick<QuoteView, 'model' | 'rows' | 'cuts'>,
  { record, lots }: { readonly record: ModelRecord; readonly lots: readonly LotRecord[] },
): QuoteView {
  const counters = nominalCounters(BigInt(rows))
  const terms = termsOf(record.price, parameters)
  const charge = chargeOf({ terms, lots }, counters)
  const { treasury, stakers } = splitCharge(charge, terms)
  const units = lots.map(({ work }) => unitsOf([work], counters, terms.decodeWeight))
  const miners = lots.reduce((sum, { rate }, index) => sum + rate * units[index]!, 0n)
  return {
    ...{ height, model, price: String(record.price), rows, cuts },
    lots: lots.map((lot, index): QuotedLot => {
      const pay = lot.rate * units[index]!
      return {
        ...viewPlace({ state, kind }, lot, lots[index - 1]),
        ...{ rate: String(lot.rate), units: String(units[index]), pay: String(pay), task: String(lot.task) },
      }
    }),
    ...{ units: String(leaseUnits({ terms, lots }, counters)), escrow: String(charge), miners: String(miners) },
    ...{ treasury: String(treasury), stakers: String(stakers), burnt: String(charge - treasury - stakers - miners) },
  }
}

export function viewAudit(
  { lease, lot, window }: AuditId,
  { round, commitHeight, dueHeight, row, standsFor, stake, opening, auditors }: AuditRecord,
  kind: NetworkKind,
): AuditView {
  return {
    ...{ lease, lot, window, round, commitHeight, dueHeight, row, standsFor, stake: String(stake) },
    ...(opening === undefined ? {} : { opening: viewOpening(opening) }),
    auditors: auditors.map(({ operator, weight, commitment, finding }) => ({
      operator: addressOfAccount(operator, kind),
      votes: String(weight),
      committed: commitment !== undefined,
      ...(finding === undefined ? {} : { finding }),
    })),
  }
}

/** Who serves a lot, and where it lies. */
function viewPlace(
  { state, kind }: LookedUp,
  { operator, standby, end }: LotRecord,
  before: LotRecord | undefined,
): Pick<LotView, 'operator' | 'standby' | 'peerKey' | 'first' | 'end'> {
  return {
    operator: addressOfAccount(operator, kind),
    ...(standby === undefined ? {} : { standby: addressOfAccount(standby, kind) }),
    peerKey: bytesToHex(requireMiner(state, operator).peerKey),
    ...{ first: before?.end ?? 0, end },
  }
}

function viewOpening({ finding, units, rows, milliseconds }: Opening): NonNullable<AuditView['opening']> {
  return { finding, units: String(units), rows, milliseconds }
}

function viewWork({ linear, attention }: SegmentWork): WorkView {
  return { linear: String(linear), attention: String(attention) }
}

/** Grains for what is claimed. */
function chargeNow(lease: LeaseRecord): bigint {
  return lease.terms.price * lease.lots.reduce((sum, lot) => sum + paidUnits(lot, lease), 0n)
}

/** Numbers as decimal strings. */
function texts<Name extends string>(numbers: Readonly<Record<Name, bigint>>): Readonly<Record<Name, string>> {
  const entries = Object.entries<bigint>(numbers).map(([name, number]) => [name, String(number)] as const)
  return Object.fromEntries(entries) as Record<Name, string>
}
