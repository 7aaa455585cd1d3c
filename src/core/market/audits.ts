/**
 * Audits from their draw to their end: windows and committees are drawn by the block's seed, who spoke is tallied at the due height,
 * and what was found is carried out. Spec: docs/spec/market.md §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { Parameters } from '../parameters.ts'
import {
  type AuditId,
  type Auditor,
  type AuditRecord,
  type AuditRound,
  auditDues,
  auditIdBytes,
  getAudit,
  putAudit,
} from '../state/audits.ts'
import { getLease, type LeaseRecord, type LotRecord, putLease } from '../state/leases.ts'
import { getMiner } from '../state/miners.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { auditCandidates, type LiveMiner, liveMiners } from './audit-candidates.ts'
import { drawWindows } from './audit-draw.ts'
import { type AuditResult, carryOut, type HeardAuditor } from './audit-verdict.ts'
import { type AuditCandidate, type CommitteeDraw, drawCommittee, drawSeats } from './committee.ts'
import type { MarketEvent } from './events.ts'
import { UNAVAILABLE } from './receipt.ts'
import { settleLease } from './settle.ts'
import { type TallyOutcome, tally } from './tally.ts'

/** The end of a block. `seed`: of the next one. */
export interface AuditContext {
  readonly height: number
  readonly parameters: Parameters
  /** Of the next block. */
  readonly seed: Hash
}

/** What became of an audit. */
export interface EndedAudit extends AuditId {
  readonly model: Hash
  /** Of the lot. */
  readonly operator: AccountId
  readonly payout: AccountId
  readonly result: AuditResult
  /** Who committed to a finding. */
  readonly auditors: readonly HeardAuditor[]
}

/** Audited receipts after which a miner is new no more. */
const NEW_UNTIL_RECEIPTS = 100

/**
 * Opens the audits of a closing lease's claimed lots. Returns how many, for `awaitAudits`: the lease itself does not change. Where too
 * few could audit a lot, none of it is opened.
 */
export function drawAudits(state: WriteState, leaseId: Hash, context: AuditContext): number {
  const lease = getLease(state, leaseId)
  assert(lease !== undefined, 'audits are drawn of a lease')
  let opened = 0
  // Read once, and only if a window was drawn: a lease has up to sixteen lots, and a model a thousand placements.
  let live: readonly LiveMiner[] | undefined
  for (const [lot, record] of lease.lots.entries()) {
    if (record.state !== 'claimed') continue
    const windows = drawWindows({
      ...{ seed: context.seed, lease: leaseId, lot, rows: record.rows },
      receiptRows: Number(lease.terms.receiptRows),
      share: shareOf(state, record, context.parameters),
    })
    if (windows.length === 0) continue
    live ??= liveMiners(state, lease.model, context.height)
    const candidates = auditCandidates(state, { lease, lot, height: context.height, stake: stakeOf(context), live })
    for (const { window, row, standsFor } of windows) {
      const id = { lease: leaseId, lot, window }
      const committee = firstCommittee(id, candidates, context)
      if (committee.length < Number(context.parameters.auditorsMin)) continue
      const auditors = committee.map((operator) => newAuditor(operator))
      const asked = { round: 'first' as const, stake: stakeOf(context), row, standsFor, opening: undefined, auditors }
      putAudit(state, id, { ...asked, ...phasesFrom(context) })
      opened++
    }
  }
  return opened
}

/** Tallies what is due, carries it out, and settles the leases whose last audit this was. Returns what ended, in the order of it. */
export function endAudits(state: WriteState, context: AuditContext): MarketEvent[] {
  const events: MarketEvent[] = []
  for (const id of dueAudits(state, context.height)) {
    const audit = getAudit(state, id)
    assert(audit !== undefined, 'what is due is there')
    const ended = endAudit(state, id, { audit, context })
    if (ended === undefined) continue
    events.push({ type: 'audited', ...ended })
    const lease = getLease(state, id.lease)
    assert(lease?.status === 'auditing' && lease.openAudits > 0, 'a lease waits for its audits')
    putLease(state, id.lease, { ...lease, openAudits: lease.openAudits - 1 })
    if (lease.openAudits === 1) events.push({ type: 'settled', ...settleLease(state, id.lease) })
  }
  return events
}

function dueAudits(state: ReadState, height: number): AuditId[] {
  const due: AuditId[] = []
  for (const [dueHeight, id] of auditDues(state)) {
    if (dueHeight > height) break
    due.push(id)
  }
  return due
}

/** undefined: more were asked, and it goes on. */
function endAudit(
  state: WriteState,
  id: AuditId,
  { audit, context }: { readonly audit: AuditRecord; readonly context: AuditContext },
): EndedAudit | undefined {
  const rules = { auditorsMin: Number(context.parameters.auditorsMin), unavailable: UNAVAILABLE }
  const outcome = tally(audit, rules)
  const again = outcome.type === 'again' ? askMore(state, id, { audit, context, round: outcome.round }) : undefined
  if (again?.isAsking) {
    putAudit(state, id, again.audit)
    return undefined
  }
  const final: TallyOutcome = again === undefined ? outcome : tally(again.audit, rules)
  // Nobody is left to be asked, and those who were did not speak.
  const known = final.type === 'again' ? ({ type: 'void', reason: 'too-few' } as const) : final
  const { lease, record } = lotOf(state, id)
  const { operator } = record
  const miner = getMiner(state, operator)
  assert(miner !== undefined, 'a miner stays while lots of it are open')
  putAudit(state, id, undefined)
  const carried = carryOut(state, { id, audit, outcome: known, context })
  return { ...id, model: lease.model, operator, payout: miner.payout, ...carried }
}

/** The audit in its next round; `isAsking`: whether anybody is asked who was not before. */
function askMore(
  state: ReadState,
  id: AuditId,
  more: {
    readonly audit: AuditRecord
    readonly context: AuditContext
    readonly round: Exclude<AuditRound, 'first'>
  },
): { readonly isAsking: boolean; readonly audit: AuditRecord } {
  const { audit, context, round } = more
  const { lease } = lotOf(state, id)
  const asked = new Set(audit.auditors.map(({ operator }) => operator))
  // Who is among them keeps what it locked: it is asked whether it has more than that or not.
  const at = { lease, lot: id.lot, height: context.height, stake: audit.stake, asked }
  const candidates = auditCandidates(state, at)
  const draw = { seed: context.seed, audit: auditIdBytes(id) }
  const votes =
    round === 'last'
      ? drawSeats(candidates, { ...draw, size: MARKET_LIMITS.auditSeatsMax })
      : new Map<AccountId, bigint>(redrawn(candidates, asked, { ...draw, size: Number(context.parameters.auditors) }))
  const added = [...votes.keys()].filter((operator) => !asked.has(operator))
  const auditors = [...audit.auditors, ...added.map((operator) => newAuditor(operator))]
    .map((auditor) => ({ ...auditor, weight: votes.get(auditor.operator) ?? 0n }))
    .sort((one, other) => (one.operator < other.operator ? -1 : 1))
  return { isAsking: added.length > 0, audit: { ...audit, round, auditors, ...phasesFrom(context) } }
}

/** Another committee, of owners that were not asked yet. */
function redrawn(
  candidates: readonly AuditCandidate[],
  asked: ReadonlySet<AccountId>,
  draw: CommitteeDraw,
): [AccountId, bigint][] {
  const owners = new Set(candidates.filter(({ operator }) => asked.has(operator)).map(({ payout }) => payout))
  const others = candidates.filter(({ operator, payout }) => !asked.has(operator) && !owners.has(payout))
  return drawCommittee(others, draw).map((operator) => [operator, 0n])
}

function firstCommittee(id: AuditId, candidates: readonly AuditCandidate[], context: AuditContext): AccountId[] {
  const { seed, parameters } = context
  const drawn = drawCommittee(candidates, { seed, audit: auditIdBytes(id), size: Number(parameters.auditors) })
  return drawn.sort()
}

function phasesFrom({ height, parameters }: AuditContext): Pick<AuditRecord, 'commitHeight' | 'dueHeight'> {
  const commitHeight = height + Number(parameters.auditCommitBlocks)
  return { commitHeight, dueHeight: commitHeight + Number(parameters.auditRevealBlocks) }
}

function newAuditor(operator: AccountId): Auditor {
  return { operator, weight: 0n, commitment: undefined, finding: undefined }
}

function shareOf(state: ReadState, { operator }: LotRecord, parameters: Parameters): number {
  const audited = getMiner(state, operator)?.auditedReceipts ?? 0
  return Number(audited < NEW_UNTIL_RECEIPTS ? parameters.auditShareNew : parameters.auditShare)
}

function stakeOf({ parameters }: AuditContext): bigint {
  return parameters.auditorStake
}

function lotOf(state: ReadState, id: AuditId): { readonly lease: LeaseRecord; readonly record: LotRecord } {
  const lease = getLease(state, id.lease)
  const record = lease?.lots[id.lot]
  assert(lease !== undefined && record !== undefined, 'an audit is of a lot of a lease')
  return { lease, record }
}
