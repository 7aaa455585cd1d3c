/**
 * What an audit finds: the miner passes, is at fault, or nobody can say. A first committee can only let pass: so few may be liars
 * together, and who is slashed is slashed by the votes of all. Pure: no state, no money. Spec: docs/spec/market.md §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { AuditRecord, AuditRound } from '../state/audits.ts'

export type TallyOutcome =
  /** `opened`: what the miner said, and the auditors found. */
  | { readonly type: 'pass'; readonly opened: Hash }
  | ({ readonly type: 'fault' } & Fault)
  | { readonly type: 'void'; readonly reason: 'too-few' | 'no-majority' }
  /** More have to be asked: another committee, or everybody. */
  | { readonly type: 'again'; readonly round: Exclude<AuditRound, 'first'> }

export type Fault =
  /** Auditors found something else than the miner opened, or none of them got the data. */
  | { readonly reason: 'digest' | 'unavailable'; readonly opened: Hash }
  /** Enough auditors had committed, and the miner did not say what it had computed: nobody has to find anything. */
  | { readonly reason: 'unopened'; readonly opened: undefined }

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
    return { type: 'fault', reason: 'unopened', opened: undefined }
  }
  if (spoke.length < rules.auditorsMin) {
    return round === 'first' ? { type: 'again', round: 'redrawn' } : { type: 'void', reason: 'too-few' }
  }
  assert(opening !== undefined, 'who spoke had committed, and without an opening that is a fault')
  const { finding: opened } = opening
  if (round !== 'last') {
    const agree = spoke.every(({ finding }) => finding === opened)
    return agree ? { type: 'pass', opened } : { type: 'again', round: 'last' }
  }
  if (hasMajority(auditors, (finding) => finding === opened)) return { type: 'pass', opened }
  // Against it count all other findings together: who sends its inputs to half of the auditors has them find two things.
  if (!hasMajority(auditors, (finding) => finding !== opened)) return { type: 'void', reason: 'no-majority' }
  const hasOther = spoke.some(({ weight, finding }) => {
    return weight > 0n && finding !== opened && finding !== rules.unavailable
  })
  return { type: 'fault', reason: hasOther ? 'digest' : 'unavailable', opened }
}

/** Whether ⅗ of the votes of who spoke, and more than ⅓ of all votes, are for such findings. */
function hasMajority(auditors: AuditRecord['auditors'], isFor: (finding: Hash) => boolean): boolean {
  let [agreed, spoken, asked] = [0n, 0n, 0n]
  for (const { weight, finding } of auditors) {
    asked += weight
    if (finding === undefined) continue
    spoken += weight
    if (isFor(finding)) agreed += weight
  }
  return (
    agreed * MAJORITY.denominator >= spoken * MAJORITY.numerator && agreed * ASKED.denominator > asked * ASKED.numerator
  )
}

/** Who is right and who is not, once there is an outcome. */
export interface Judgement {
  /** Found what counts: what was opened in a pass, anything else in a fault. */
  readonly right: readonly AccountId[]
  /** Found something else, or committed and did not say what. */
  readonly wrong: readonly AccountId[]
}

/** Where nothing was opened, or nobody can say, none is right, and wrong is only who committed and did not reveal. */
export function judge(auditors: AuditRecord['auditors'], outcome: Exclude<TallyOutcome, { type: 'again' }>): Judgement {
  const opened = outcome.type === 'void' ? undefined : outcome.opened
  const isRight = (finding: Hash): boolean => (outcome.type === 'pass') === (finding === opened)
  const right = auditors.filter(({ finding }) => opened !== undefined && finding !== undefined && isRight(finding))
  const wrong = auditors.filter(({ commitment, finding }) => {
    if (commitment === undefined) return false
    return finding === undefined || (opened !== undefined && !isRight(finding))
  })
  const idOf = ({ operator }: { readonly operator: AccountId }): AccountId => operator
  return { right: right.map(idOf), wrong: wrong.map(idOf) }
}
