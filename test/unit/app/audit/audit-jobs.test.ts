import { expect, test } from 'vitest'
import {
  type AuditJob,
  createAuditJobs,
  isLastCall,
  mayTry,
  noteFailure,
} from '../../../../src/app/audit/audit-jobs.ts'
import type { AuditView } from '../../../../src/app/chain/market-access.ts'
import { hash } from '../../../../src/base/brand.ts'
import { AUDIT_LIMITS } from '../../../../src/base/limits.ts'

const audit = (change: Partial<AuditView> = {}): AuditView => ({
  ...{ lease: hash('ab'.repeat(32)), lot: 0, window: 1, round: 'first', commitHeight: 120, dueHeight: 170 },
  ...{ row: 5, standsFor: 256, stake: '100', auditors: [] },
  ...change,
})
const job = (change: Partial<AuditJob> = {}): AuditJob => ({
  ...{ firstSeen: 20, attempts: 0, bad: 0, againAt: 0, missing: undefined, running: undefined, said: new Set() },
  ...change,
})

test.each<[number, number, number]>([
  [20, 120, 115],
  [100, 120, 115],
  [108, 120, 117],
  [116, 120, 119],
  [119, 120, 119],
])('first seen at %i, to be committed to until %i: the last call is at %i', (firstSeen, commitHeight, last) => {
  const view = audit({ commitHeight })
  expect(isLastCall(view, job({ firstSeen }), last - 1)).toBe(false)
  expect(isLastCall(view, job({ firstSeen }), last)).toBe(true)
})

test.each<[string, Partial<AuditJob>, boolean]>([
  ['a new one', {}, true],
  ['one that is tried', { running: new AbortController() }, false],
  ['one that waits', { againAt: 51 }, false],
  ['one that has waited', { againAt: 50 }, true],
  ['one that was tried often', { attempts: AUDIT_LIMITS.attemptsMax - 1 }, true],
  ['one that was tried too often', { attempts: AUDIT_LIMITS.attemptsMax }, false],
  ['one that got other data twice', { bad: 2 }, true],
  ['one that got other data three times', { bad: 3 }, false],
])('%s may be tried: %#', (_case, change, may) => {
  expect(mayTry(job(change), 50)).toBe(may)
})

test('it waits longer each time, and remembers whose fault the last attempt was', () => {
  const tried = job()
  const waits = Array.from({ length: 5 }, () => {
    noteFailure(tried, { type: 'missing', why: 'silent', isBad: false }, 100)
    return tried.againAt - 100
  })
  expect(waits).toEqual([2, 4, 8, 8, 8])
  expect([tried.missing, tried.bad]).toEqual(['silent', 0])
  noteFailure(tried, { type: 'missing', why: 'other data', isBad: true }, 100)
  expect([tried.missing, tried.bad]).toEqual(['other data', 1])
  noteFailure(tried, { type: 'unable', why: 'no memory' }, 100)
  expect([tried.missing, tried.bad, tried.attempts]).toEqual([undefined, 1, 7])
})

test('each round of an audit is a job of its own, and is forgotten with it', () => {
  const jobs = createAuditJobs()
  const first = jobs.of(audit(), 20)
  expect(jobs.of(audit(), 30)).toBe(first)
  expect(jobs.of(audit({ dueHeight: 300 }), 170)).not.toBe(first)
  first.running = new AbortController()
  expect(jobs.running).toBe(1)
  jobs.keep([])
  expect(jobs.of(audit(), 40)).toBe(first)
  first.running = undefined
  jobs.keep([])
  expect(jobs.of(audit(), 40)).not.toBe(first)
})
