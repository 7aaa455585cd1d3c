/**
 * What an audit's outcome does: credits and averages of the miner, or its slash; and what auditors gain or lose.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'
import type { AuditId, AuditRecord, Opening } from '../state/audits.ts'
import { getLease, type LeaseRecord, type LotRecord, putLease } from '../state/leases.ts'
import { getMiner, type MinerRecord, putMiner } from '../state/miners.ts'
import { burn, move } from '../state/money.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { creditUnits, dayOf, forgetUnits } from './power.ts'
import { averageRate, averageReliability } from './rate-average.ts'
import { judge, type TallyOutcome } from './tally.ts'

/** An outcome that ends an audit, and what it moved. */
export type AuditResult =
  /** Compute units that were credited, and grains of work value; at most u64, as the ledger keeps them. */
  | { readonly type: 'pass'; readonly units: bigint; readonly value: bigint }
  | {
      readonly type: 'fault'
      readonly reason: 'digest' | 'unavailable' | 'unopened'
      /** Grains that the miner lost. */
      readonly slashed: bigint
      /** Grains of them that the auditors got. */
      readonly rewarded: bigint
    }
  | { readonly type: 'void'; readonly reason: 'too-few' | 'no-majority' }

/** An auditor that committed to a finding. */
export interface HeardAuditor {
  readonly operator: AccountId
  readonly payout: AccountId
  /** Undecided: there was no finding, and it broke no promise. */
  readonly verdict: 'right' | 'wrong' | 'undecided'
  /** Right: work value after a pass, grains of the slash after a fault. Wrong: its stake, which was burnt. */
  readonly grains: bigint
}

export interface CarriedOut {
  readonly result: AuditResult
  readonly auditors: readonly HeardAuditor[]
}

export type FinalOutcome = Exclude<TallyOutcome, { readonly type: 'again' }>

export interface Ending {
  readonly id: AuditId
  readonly audit: AuditRecord
  readonly outcome: FinalOutcome
  readonly context: { readonly height: number; readonly parameters: Parameters }
}

const PER_MILLE = 1_000n
const U64_MAX = 2n ** 64n - 1n

/** Frees what auditors locked, judges them, and does to the miner what was found. The audit's record is gone already. */
export function carryOut(state: WriteState, ending: Ending): CarriedOut {
  const { audit, outcome } = ending
  const judged = judge(audit.auditors, outcome)
  const { right, wrong } = judged
  // Before anything moves: who loses the last of its deposit may be gone afterwards.
  const heard = audit.auditors.filter(({ commitment }) => commitment !== undefined)
  const owners = heard.map(({ operator }) => ({ operator, payout: requireMiner(state, operator).payout }))
  for (const { operator, commitment } of audit.auditors) if (commitment !== undefined) unlock(state, operator, audit)
  // Burnt: whoever got it could make others fail for it.
  for (const operator of wrong) burn(state, { type: 'collateral', operator }, audit.stake)
  const { result, each } = bringAbout(state, right, ending)
  const auditors = owners.map((owner): HeardAuditor => {
    if (right.includes(owner.operator)) return { ...owner, verdict: 'right', grains: each }
    return wrong.includes(owner.operator)
      ? { ...owner, verdict: 'wrong', grains: audit.stake }
      : { ...owner, verdict: 'undecided', grains: 0n }
  })
  return { result, auditors }
}

/** What happens to the miner; `each`: what every auditor that was right gets. */
function bringAbout(
  state: WriteState,
  right: readonly AccountId[],
  ending: Ending,
): { readonly result: AuditResult; readonly each: bigint } {
  const { outcome } = ending
  switch (outcome.type) {
    case 'pass': {
      const each = payFees(state, right, ending)
      return { result: { type: 'pass', ...pass(state, ending) }, each }
    }
    case 'fault': {
      const { each, ...moved } = fault(state, right, ending)
      return { result: { type: 'fault', reason: outcome.reason, ...moved }, each }
    }
    default:
      return { result: outcome, each: 0n }
  }
}

function unlock(state: WriteState, operator: AccountId, { stake }: AuditRecord): void {
  const miner = requireMiner(state, operator)
  assert(miner.locked >= stake, 'an auditor that committed has its stake locked')
  putMiner(state, operator, { ...miner, locked: miner.locked - stake })
}

/**
 * Parts of the fee for one window, of full size at most: a miner that cut larger ones would set it. Accusers share the slash instead.
 * Returns the work value that each got.
 */
function payFees(state: WriteState, right: readonly AccountId[], { id, audit, context }: Ending): bigint {
  const { lease } = lotOf(state, id)
  const { opening } = audit
  if (opening === undefined || right.length === 0) return 0n
  const { price, receiptRows } = lease.terms
  const rows = BigInt(opening.rows)
  const units = rows > receiptRows ? (opening.units * receiptRows) / rows : opening.units
  const fee = (units * price * context.parameters.auditFee) / PER_MILLE / BigInt(right.length)
  for (const operator of right) {
    const miner = requireMiner(state, operator)
    putMiner(state, operator, { ...miner, workValue: bounded(miner.workValue + fee) })
  }
  return bounded(fee)
}

/** Returns what was credited. */
function pass(state: WriteState, { id, audit, context }: Ending): { readonly units: bigint; readonly value: bigint } {
  const { lease, lot } = lotOf(state, id)
  const { opening } = audit
  assert(opening !== undefined, 'what passes was opened')
  const miner = requireMiner(state, lot.operator)
  const credited = lot.state === 'faulted' ? 0n : (opening.units * BigInt(audit.standsFor)) / BigInt(opening.rows)
  const value = (credited * lease.terms.price * context.parameters.workSubsidy) / PER_MILLE
  putMiner(state, lot.operator, {
    ...creditUnits(measured(miner, opening), dayOf(context.height), credited),
    auditedReceipts: miner.auditedReceipts + 1,
    workValue: bounded(miner.workValue + value),
  })
  return { units: bounded(credited), value: bounded(value) }
}

function measured(miner: MinerRecord, { units, milliseconds }: Opening): MinerRecord {
  const workRate = averageRate(miner.workRate, units, milliseconds)
  return { ...miner, workRate, reliability: averageReliability(miner.reliability, true) }
}

/** Half of the task to the auditors that found it out, in equal parts; the rest is burnt. */
function fault(
  state: WriteState,
  accusers: readonly AccountId[],
  { id, context }: Ending,
): { readonly slashed: bigint; readonly rewarded: bigint; readonly each: bigint } {
  const { lease, lot } = lotOf(state, id)
  const { operator, task } = lot
  const miner = requireMiner(state, operator)
  assert(miner.deposit >= task && miner.locked >= task, 'a task is locked in the deposit')
  putMiner(state, operator, {
    ...forgetUnits(miner),
    ...{ locked: miner.locked - task, workValue: 0n, auditedReceipts: 0 },
    reliability: averageReliability(miner.reliability, false),
  })
  const from = { type: 'collateral', operator } as const
  const each = accusers.length === 0 ? 0n : task / 2n / BigInt(accusers.length)
  for (const accuser of accusers) {
    const { payout } = requireMiner(state, accuser)
    move(state, { amount: each, from, to: { type: 'account', id: payout } })
  }
  const rewarded = each * BigInt(accusers.length)
  burn(state, from, task - rewarded)
  const faulted = (record: LotRecord): LotRecord => ({ ...record, state: 'faulted', task: 0n })
  const lots = lease.lots.map((record, at) => (at === id.lot ? faulted(record) : record))
  putLease(state, id.lease, { ...lease, lots })
  slashOutIfPoor(state, operator, context.parameters)
  return { slashed: task, rewarded, each }
}

/** Who was at fault and has less than the smallest deposit left has no new lots and audits nothing any more. */
function slashOutIfPoor(state: WriteState, operator: AccountId, { minerDepositMin }: Parameters): void {
  const miner = getMiner(state, operator)
  if (miner?.status !== 'active' || miner.deposit >= minerDepositMin) return
  putMiner(state, operator, { ...miner, status: 'slashed-out' })
}

function bounded(value: bigint): bigint {
  return value > U64_MAX ? U64_MAX : value
}

function requireMiner(state: ReadState, operator: AccountId): MinerRecord {
  const miner = getMiner(state, operator)
  assert(miner !== undefined, 'a miner stays while it has something locked')
  return miner
}

function lotOf(
  state: ReadState,
  { lease: id, lot: at }: AuditId,
): { readonly lease: LeaseRecord; readonly lot: LotRecord } {
  const lease = getLease(state, id)
  const lot = lease?.lots[at]
  assert(lease !== undefined && lot !== undefined, 'an audit is of a lot of a lease')
  return { lease, lot }
}
