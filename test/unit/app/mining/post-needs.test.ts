/** Whether leases or audits need a post that is to leave. */
import { expect, test } from 'vitest'
import type { ChainAccess } from '../../../../src/app/chain/chain-access.ts'
import type { AuditView, LeaseView } from '../../../../src/app/chain/market-access.ts'
import { isPostNeeded } from '../../../../src/app/mining/post-needs.ts'
import type { Post } from '../../../../src/app/posts/post.ts'
import { hash } from '../../../../src/base/brand.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { person } from '../../../chain-accounts.ts'
import { head, lease, lot, MODEL } from './views.ts'

const operator = person(1).id
const own = addressOfAccount(operator, 'local')
const NEVER = new AbortController().signal
const OTHER_MODEL = hash('cd'.repeat(32))
const LEASE = hash('22'.repeat(32))

function post(firstSegment: number, lastSegment: number, model = MODEL): Post {
  return { model: { hash: model }, firstSegment, lastSegment } as unknown as Post
}

function ours(first: number, end: number, change: Partial<LeaseView> = {}): LeaseView {
  return lease({ lots: [lot({ first: 0, end: first }), lot({ operator: own, first, end })], ...change })
}

/** Of somebody's lot 0 of the lease, with us among the auditors. */
function audit(committed: boolean): AuditView {
  return {
    lease: LEASE,
    lot: 0,
    window: 0,
    auditors: [{ operator: own, votes: '0', committed }],
  } as unknown as AuditView
}

interface Scene {
  readonly leases?: readonly LeaseView[]
  readonly audits?: readonly AuditView[]
  /** Segments of the audited lot. */
  readonly audited?: readonly [number, number]
  readonly staying?: readonly Post[]
  readonly sitsInAudits?: boolean
}

function needed(
  leaving: Post,
  { leases = [], audits = [], audited = [0, 1], staying = [], sitsInAudits = true }: Scene,
) {
  // One entry a page.
  const page = <Entry>(all: readonly Entry[], from: string | undefined) => {
    const at = Number(from ?? 0)
    const more = at + 1 < all.length ? { next: String(at + 1) } : {}
    return { height: 1, entries: all.slice(at, at + 1), ...more }
  }
  const market: Partial<ChainAccess['market']> = {
    leases: async ({ from }) => page(leases, from),
    audits: async ({ from }) => page(audits, from),
    lease: async () => lease({ lots: [lot({ first: audited[0], end: audited[1] })] }),
  }
  const chain = { network: head(1), market: market as ChainAccess['market'] }
  return isPostNeeded(leaving, { chain, operator, staying: () => staying, audits: sitsInAudits }, NEVER)
}

test.each<[string, Post, Scene, boolean]>([
  ['nobody has a lease there', post(0, 3), {}, false],
  ['an open lease has a lot there', post(0, 3), { leases: [lease(), ours(1, 3)] }, true],
  ['it is closing: nobody opens sessions with it', post(0, 3), { leases: [ours(1, 3, { status: 'closing' })] }, false],
  ['the lot is of another miner', post(0, 3), { leases: [lease()] }, false],
  ['it is of another model', post(0, 3, OTHER_MODEL), { leases: [ours(1, 3)] }, false],
  ['a post that stays has its segments', post(0, 3), { leases: [ours(1, 3)], staying: [post(1, 3)] }, false],
  ['one that stays has only some of them', post(0, 3), { leases: [ours(1, 3)], staying: [post(1, 2)] }, true],
  ['it is to audit a lot there', post(0, 3), { audits: [audit(true), audit(false)] }, true],
  ['it has committed already', post(0, 3), { audits: [audit(true)] }, false],
  ['it audits nobody', post(0, 3), { audits: [audit(false)], sitsInAudits: false }, false],
  ['the audited lot lies elsewhere', post(1, 3), { audits: [audit(false)] }, false],
  ['a post that stays can audit it', post(0, 3), { audits: [audit(false)], staying: [post(0, 1)] }, false],
])('%s', async (_case, leaving, scene, expected) => {
  expect(await needed(leaving, scene)).toBe(expected)
})
