/**
 * What an audit finds: the miner passes, is at fault, or nobody can say. A first committee can only let pass: so few may be liars
 * together, and who is slashed is slashed by the votes of all. Pure: no state, no money. Spec: docs/spec/market.md §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { AuditRecord, AuditRound } from '../state/audits.ts'

export type TallyOutcome =
  /** `finding`: what the miner opened, and the auditors found. */
  | { readonly type: 'pass'; readonly finding: Hash }
  | ({ readonly type: 'fault' } & Fault)
  | { readonly type: 'void'; readonly reason: 'too-few' | 'no-majority' }
  /** More have to be asked: another committee, or everybody. */
  | { readonly type: 'again'; readonly round: Exclude<AuditRound, 'first'> }

export type Fault =
  /** Auditors found something else than the miner opened; zeros: the data was not to be had. */
  | { readonly reason: 'digest' | 'unavailable'; readonly finding: Hash }
  /** Enough auditors had committed, and the miner did not say what it had computed: nobody has to find anything. */
  | { readonly reason: 'unopened'; readonly finding: undefined }

/** Of the votes of who spoke, in the last round. */
export const MAJORITY = { numerator: 3n, denominator: 5n } as const
/** Of the votes of who was asked: more than liars have, however few of the others speak. */
export const ASKED = { numerator: 1n, denominator: 3n } as const

export interface TallyRules {
  /** Auditors that must have spoken. */
  readonly auditorsMin: number
  readonly unavailable: Hash
}

/** `audit` at the end of its reveal phase. */
export function tally(audit: Pick<AuditRecord, 'round' | 'opening' | 'auditors'>, rules: TallyRules): TallyOutcome {
  const { round, opening, auditors } = audit
  const committed = auditors.filter(({ commitment }) => commitment !== undefined)
  const spoke = auditors.filter(({ finding }) => finding !== undefined)
  if (opening === undefined && committed.length >= rules.auditorsMin) {
    return { type: 'fault', reason: 'unopened', finding: undefined }
  }
  if (spoke.length < rules.auditorsMin) {
    return round === 'first' ? { type: 'again', round: 'redrawn' } : { type: 'void', reason: 'too-few' }
  }
  assert(opening !== undefined, 'who spoke had committed, and without an opening that is a fault')
  if (round !== 'last') {
    const agree = spoke.every(({ finding }) => finding === opening.finding)
    return agree ? { type: 'pass', finding: opening.finding } : { type: 'again', round: 'last' }
  }
  const finding = majorityOf(audit)
  if (finding === undefined) return { type: 'void', reason: 'no-majority' }
  if (finding === opening.finding) return { type: 'pass', finding }
  return { type: 'fault', reason: finding === rules.unavailable ? 'unavailable' : 'digest', finding }
}

/** What ⅗ of the votes of who spoke, and more than ⅓ of all votes, are for. */
function majorityOf({ auditors }: Pick<AuditRecord, 'auditors'>): Hash | undefined {
  const votes = new Map<Hash, bigint>()
  let [spoken, asked] = [0n, 0n]
  for (const { weight, finding } of auditors) {
    asked += weight
    if (finding === undefined) continue
    spoken += weight
    votes.set(finding, (votes.get(finding) ?? 0n) + weight)
  }
  for (const [finding, weight] of votes) {
    const isMajority = weight * MAJORITY.denominator >= spoken * MAJORITY.numerator
    if (isMajority && weight * ASKED.denominator > asked * ASKED.numerator) return finding
  }
  return undefined
}

/** Who is right and who is not, once there is a finding. */
export interface Judgement {
  /** Found what counts. */
  readonly right: readonly AccountId[]
  /** Found something else, or committed and did not say what. */
  readonly wrong: readonly AccountId[]
}

/** Without a finding nobody is right, and wrong is only who committed and did not reveal. */
export function judge(auditors: AuditRecord['auditors'], finding: Hash | undefined): Judgement {
  const right = auditors.filter((auditor) => finding !== undefined && auditor.finding === finding)
  const wrong = auditors.filter((auditor) => {
    if (auditor.commitment === undefined) return false
    return auditor.finding === undefined || (finding !== undefined && auditor.finding !== finding)
  })
  const idOf = ({ operator }: { readonly operator: AccountId }): AccountId => operator
  return { right: right.map(idOf), wrong: wrong.map(idOf) }
}
