/** What an audit finds, by who said what. */
import { describe, expect, test } from 'vitest'
import { accountId, type Hash, hash } from '../../../../src/base/brand.ts'
import { UNAVAILABLE } from '../../../../src/core/market/receipt.ts'
import { judge, type TallyOutcome, tally } from '../../../../src/core/market/tally.ts'
import type { Auditor, AuditRound, Opening } from '../../../../src/core/state/audits.ts'

type Outcome = Exclude<TallyOutcome, { readonly type: 'again' }>

const TRUE = hash('aa'.repeat(32))
const FALSE = hash('bb'.repeat(32))
const OTHER = hash('cc'.repeat(32))
const PROMISE = hash('dd'.repeat(32))
const RULES = { auditorsMin: 3, unavailable: UNAVAILABLE }

/** t: the opened finding, f and o: others, u: unavailable, s: silent after its promise, i: idle. A digit before it: votes, 1 otherwise. */
function auditorsOf(text: string): Auditor[] {
  return text.split(' ').map((word, index) => {
    const [, votes, letter] = /^(\d*)([tfousi])$/.exec(word)!
    const finding = ({ t: TRUE, f: FALSE, o: OTHER, u: UNAVAILABLE } as Record<string, Hash>)[letter!]
    return {
      operator: accountId(index.toString(16).padStart(40, '0')),
      weight: BigInt(votes === '' ? 1 : votes!),
      commitment: letter === 'i' ? undefined : PROMISE,
      finding,
    }
  })
}

const OPENING: Opening = { finding: TRUE, units: 1n, rows: 1, milliseconds: 1 }

function outcomeOf(round: AuditRound, text: string, opens: boolean): string {
  const outcome = tally({ round, auditors: auditorsOf(text), opening: opens ? OPENING : undefined }, RULES)
  if (outcome.type === 'again') return `again: ${outcome.round}`
  return outcome.type === 'pass' ? 'pass' : `${outcome.type}: ${outcome.reason}`
}

describe('with the receipt open', () => {
  test.each<[AuditRound, string, string]>([
    ['first', 't t t t t', 'pass'],
    ['first', 't t t i i', 'pass'],
    ['first', 't t t s s', 'pass'],
    ['first', 't t t t f', 'again: last'],
    ['first', 'f f f f f', 'again: last'],
    ['first', 'u u u u u', 'again: last'],
    ['first', 'f f f i i', 'again: last'],
    ['first', 't t i i i', 'again: redrawn'],
    ['first', 't t s s s', 'again: redrawn'],
    ['first', 'i i i i i', 'again: redrawn'],
    ['redrawn', 't t i i i t i i i i', 'pass'],
    ['redrawn', 't t i i i f i i i i', 'again: last'],
    ['redrawn', 't t i i i i i i i i', 'void: too-few'],
    ['last', 't t t', 'pass'],
    ['last', 't t t f f', 'pass'],
    ['last', 't t f f', 'void: no-majority'],
    ['last', 'f f f t t', 'fault: digest'],
    ['last', 'u u u t t', 'fault: unavailable'],
    // Who sends its inputs to some auditors only has them find two things.
    ['last', '2f 3t 1t 4o', 'fault: digest'],
    ['last', '2f 3u 1t', 'fault: digest'],
    ['last', '3u 0f 2t', 'fault: unavailable'],
    ['last', '1f 1u 2t 1s', 'void: no-majority'],
    // Votes count, not heads.
    ['last', '9t 1f 1f 1f 1f', 'pass'],
    ['last', '0t 0t 0t 3f 2f', 'fault: digest'],
    // Who is silent was asked: a third of all votes is too little.
    ['last', '1f 1f 1f 3s 3s', 'void: no-majority'],
    ['last', '2f 1f 1f 3s 3s', 'fault: digest'],
    ['last', '3f 3f 4s', 'void: too-few'],
  ])('in the %s round, %s is %s', (round, text, expected) => {
    expect(outcomeOf(round, text, true)).toBe(expected)
  })
})

describe('without it', () => {
  test.each<[AuditRound, string, string]>([
    ['first', 't t t t t', 'fault: unopened'],
    ['first', 'u u u i i', 'fault: unopened'],
    ['first', 's s s i i', 'fault: unopened'],
    ['first', 's s i i i', 'again: redrawn'],
    ['redrawn', 's s i i i s i i', 'fault: unopened'],
    ['redrawn', 's s i i i i i i', 'void: too-few'],
    ['last', 'f f f', 'fault: unopened'],
  ])('in the %s round, %s is %s', (round, text, expected) => {
    expect(outcomeOf(round, text, false)).toBe(expected)
  })
})

describe('auditors', () => {
  test.each<[string, Outcome, string, string]>([
    ['t t f s i', { type: 'pass', opened: TRUE }, '01', '23'],
    ['t t f u s i', { type: 'fault', reason: 'digest', opened: TRUE }, '23', '014'],
    ['u u s i', { type: 'fault', reason: 'unopened', opened: undefined }, '', '2'],
    ['t t f s i', { type: 'void', reason: 'no-majority' }, '', '3'],
  ])('of %s are judged by the outcome %o', (text, outcome, right, wrong) => {
    const judged = judge(auditorsOf(text), outcome)
    const digits = (ids: readonly string[]): string => ids.map((id) => id.slice(-1)).join('')
    expect([digits(judged.right), digits(judged.wrong)]).toEqual([right, wrong])
  })
})
