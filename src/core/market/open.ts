/**
 * The opening of a lease: who may serve each lot, whom the auction names, and what that locks. Spec: docs/spec/market.md §5, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { ZERO_HASH } from '../fields.ts'
import type { Parameters } from '../parameters.ts'
import { addLeaseDue } from '../state/lease-dues.ts'
import { type LeaseRecord, type LotRecord, putLease } from '../state/leases.ts'
import { getMiner, type MinerRecord, putMiner } from '../state/miners.ts'
import type { ModelRecord } from '../state/models.ts'
import { move } from '../state/money.ts'
import { getPlacement, isLive, type PlacementRecord, placements, putPlacement } from '../state/placements.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { assign } from './auction.ts'
import { ZERO_COUNTERS } from './counters.ts'
import { taskOf } from './incentive.ts'
import type { AssignedLot, Candidate } from './lot-offer.ts'
import { EMPTY_TRANSCRIPT } from './transcript.ts'
import { nominalCounters, type SegmentWork, unitsOf } from './work.ts'

export interface LeaseRequest {
  readonly leaseId: Hash
  /** Hash of the manifest. */
  readonly model: Hash
  /** Segments at which lots begin, rising, after 0. */
  readonly cuts: readonly number[]
  /** Operators that are no candidates. */
  readonly avoid: readonly AccountId[]
  /** Rows that miners are ranked by. */
  readonly rows: number
}

export interface OpeningContext {
  readonly height: number
  readonly parameters: Parameters
}

/** The lots with their miners, or the first lot that nobody can serve. */
export type LeasePlan =
  | { readonly ok: true; readonly lots: readonly LotRecord[] }
  | { readonly ok: false; readonly lot: number }

/** A run of segments that is to have a miner. */
interface LotRun {
  readonly first: number
  readonly end: number
  readonly work: SegmentWork
  /** Grains that its miner must have free. */
  readonly task: bigint
}

interface Offered {
  readonly operator: AccountId
  readonly placement: PlacementRecord
  readonly miner: MinerRecord
}

/** Runs the auction. `record`: of the model; the cuts are within it. Reads each placement of the model and its miner once. */
export function planLease(
  state: ReadState,
  { request, record }: { readonly request: LeaseRequest; readonly record: ModelRecord },
  { height, parameters }: OpeningContext,
): LeasePlan {
  const runs = runsOf(request.cuts, record, parameters)
  const offered = [...offersOf(state, request, height)]
  const counters = nominalCounters(BigInt(request.rows))
  const offers = runs.map((run) => {
    const units = unitsOf([run.work], counters, parameters.decodeWeight)
    return { units: units > 0n ? units : 1n, candidates: candidatesOf(offered, run) }
  })
  const assignment = assign(offers, { leaseId: request.leaseId, price: record.price, parameters })
  if (!assignment.ok) return assignment
  const incarnations = new Map(offered.map(({ operator, placement }) => [operator, placement.incarnation]))
  return {
    ok: true,
    lots: assignment.lots.map((lot, index) => lotOf(lot, runs[index]!, incarnations.get(lot.operator)!)),
  }
}

/** Keeps a lease whose lots were planned on this very state; the payer has its cap. */
export function openLease(
  state: WriteState,
  leaseId: Hash,
  lease: Pick<
    LeaseRecord,
    'payer' | 'model' | 'voucherKey' | 'terms' | 'cap' | 'openedHeight' | 'expiryHeight' | 'lots'
  >,
): void {
  for (const { operator, task } of lease.lots) {
    const id = { model: lease.model, operator }
    const placement = getPlacement(state, id)
    const miner = getMiner(state, operator)
    assert(placement !== undefined && miner !== undefined, 'the auction names who has a placement')
    putPlacement(state, id, { ...placement, used: placement.used + 1 })
    putMiner(state, operator, { ...miner, locked: miner.locked + task, openLots: miner.openLots + 1 })
  }
  putLease(state, leaseId, {
    ...lease,
    ...{ escrow: 0n, dueHeight: lease.expiryHeight, status: 'open', openAudits: 0 },
    ...{ seq: 0n, counters: ZERO_COUNTERS, transcript: EMPTY_TRANSCRIPT },
  })
  addLeaseDue(state, { height: lease.expiryHeight, lease: leaseId })
  const from = { type: 'account', id: lease.payer } as const
  move(state, { amount: lease.cap, from, to: { type: 'escrow', lease: leaseId } })
}

/** What a lease that opens now keeps to its end. */
export function termsOf(price: bigint, parameters: Parameters): LeaseRecord['terms'] {
  const { decodeWeight, treasuryShare, stakerShare, receiptRows } = parameters
  return { price, decodeWeight, treasuryShare, stakerShare, receiptRows }
}

function runsOf(cuts: readonly number[], { price, segments, context }: ModelRecord, parameters: Parameters): LotRun[] {
  const ends = [...cuts, segments.length]
  return ends.map((end, index) => {
    const first = ends[index - 1] ?? 0
    const own = segments.slice(first, end)
    const task = taskOf({ price, segments: own, context: BigInt(context) }, parameters)
    return { first, end, work: sumOf(own), task }
  })
}

function sumOf(segments: readonly SegmentWork[]): SegmentWork {
  return segments.reduce(
    (sum, { linear, attention }) => ({ linear: sum.linear + linear, attention: sum.attention + attention }),
    { linear: 0n, attention: 0n },
  )
}

function* offersOf(state: ReadState, { model, avoid }: LeaseRequest, height: number): Iterable<Offered> {
  for (const [operator, placement] of placements(state, model)) {
    if (placement.used >= placement.slots || avoid.includes(operator)) continue
    const miner = getMiner(state, operator)
    if (miner !== undefined && isLive(placement, miner, height)) yield { operator, placement, miner }
  }
}

function candidatesOf(offered: readonly Offered[], { first, end, task }: LotRun): Candidate[] {
  return offered
    .filter(({ placement, miner }) => {
      return placement.first <= first && placement.end >= end && miner.deposit - miner.locked >= task
    })
    .map(({ operator, placement: { bid }, miner: { payout, workRate } }) => ({ operator, payout, bid, rate: workRate }))
}

function lotOf({ operator, standby, rate }: AssignedLot, { end, work, task }: LotRun, incarnation: bigint): LotRecord {
  return { operator, standby, end, work, rate, task, incarnation, rows: 0, root: ZERO_HASH, state: 'unclaimed' }
}
