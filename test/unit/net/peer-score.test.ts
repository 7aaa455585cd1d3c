import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type PeerId, peerId } from '../../../src/base/brand.ts'
import { createPeerScores, type PeerScores } from '../../../src/net/peer-score.ts'
import type { PeerConduct } from '../../../src/net/wire.ts'
import { createFakeClock } from '../../fake-clock.ts'

const A = peerId('a')
const B = peerId('b')
const MINUTE_MS = 60_000

function repeat(scores: PeerScores, peer: PeerId, conduct: PeerConduct, times: number): void {
  for (let count = 0; count < times; count++) scores.judge(peer, conduct)
}

test.each([
  ['misbehaved', 2, false],
  ['misbehaved', 3, true],
  ['reject', 5, false],
  ['reject', 6, true],
  ['ignore', 100_000, false],
] as const)('%s, %i times: banned %s', (conduct, times, banned) => {
  const scores = createPeerScores(createFakeClock())
  repeat(scores, A, conduct, times)
  expect(scores.isBanned(A)).toBe(banned)
  expect(scores.isBanned(B)).toBe(false)
})

test('a score halves in ten minutes', () => {
  const clock = createFakeClock()
  const scores = createPeerScores(clock)
  expect(scores.score(A)).toBe(0)
  expect(scores.judge(A, 'misbehaved')).toBe(-20)
  clock.advance(10 * MINUTE_MS)
  expect(scores.score(A)).toBeCloseTo(-10, 9)
  clock.advance(20 * MINUTE_MS)
  expect(scores.judge(A, 'useful')).toBeCloseTo(-1.5, 9)
})

test('a ban lasts an hour, whatever comes meanwhile, and leaves next to nothing', () => {
  const clock = createFakeClock()
  const scores = createPeerScores(clock)
  repeat(scores, A, 'misbehaved', 3)
  clock.advance(59 * MINUTE_MS)
  repeat(scores, A, 'misbehaved', 50)
  repeat(scores, A, 'useful', 50)
  expect(scores.isBanned(A)).toBe(true)
  clock.advance(MINUTE_MS)
  expect(scores.isBanned(A)).toBe(false)
  expect(scores.score(A)).toBeGreaterThan(-1)
  repeat(scores, A, 'misbehaved', 2)
  expect(scores.isBanned(A)).toBe(false)
})

test('credit is bounded: a long good life does not pay for a flood of bad news', () => {
  const scores = createPeerScores(createFakeClock())
  repeat(scores, A, 'accept', 1_000_000)
  expect(scores.score(A)).toBe(10)
  repeat(scores, A, 'reject', 7)
  expect(scores.isBanned(A)).toBe(true)
})

test('a full table forgets those who say least, and bans last', () => {
  const scores = createPeerScores(createFakeClock(), 3)
  repeat(scores, A, 'misbehaved', 3)
  scores.judge(B, 'reject')
  scores.judge(peerId('c'), 'useful')
  for (let count = 0; count < 100; count++) scores.judge(peerId(`stranger ${count}`), 'useful')
  expect([scores.isBanned(A), scores.score(B), scores.score(peerId('c'))]).toEqual([true, -10, 0])
})

test('the table stays within its bound and no ban ends early while there is room for it', () => {
  const conduct = fc.constantFrom<PeerConduct>('accept', 'ignore', 'reject', 'useful', 'misbehaved')
  const step = fc.record({
    peer: fc.integer({ min: 0, max: 40 }),
    conduct,
    waitMs: fc.integer({ min: 0, max: 300_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const clock = createFakeClock()
      const scores = createPeerScores(clock, 64)
      const bannedUntil = new Map<PeerId, number>()
      for (const { peer, conduct, waitMs } of steps) {
        clock.advance(waitMs)
        const id = peerId(`peer ${peer}`)
        const before = scores.isBanned(id)
        scores.judge(id, conduct)
        if (!before && scores.isBanned(id)) bannedUntil.set(id, clock.now() + 60 * MINUTE_MS)
        for (const [other, untilMs] of bannedUntil) expect(scores.isBanned(other)).toBe(clock.now() < untilMs)
      }
    }),
    { numRuns: 200 },
  )
})
