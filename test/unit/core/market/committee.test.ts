/** Who is drawn: by deposit, one per owner; and the votes of the last round. */
import { describe, expect, test } from 'vitest'
import { type AccountId, accountId } from '../../../../src/base/brand.ts'
import { hashOf } from '../../../../src/core/fields.ts'
import { taggedHash } from '../../../../src/core/hash.ts'
import {
  type AuditCandidate,
  type CommitteeDraw,
  drawCommittee,
  drawSeats,
} from '../../../../src/core/market/committee.ts'

const idOf = (number: number): AccountId => accountId(number.toString(16).padStart(40, '0'))
const candidate = (number: number, deposit = 1n, payout = number): AuditCandidate => ({
  ...{ operator: idOf(number), payout: idOf(payout), deposit },
})
const drawOf = (number: number, size: number): CommitteeDraw => ({
  seed: hashOf(taggedHash('test/seed', new Uint8Array(new Uint32Array([number]).buffer))),
  audit: new Uint8Array(37),
  size,
})
const SEEDS = 3_000
const bound = (probability: number): number => 6 * Math.sqrt(SEEDS * probability * (1 - probability))

describe('a first committee', () => {
  test('has no member twice and no more than there are', () => {
    const candidates = Array.from({ length: 4 }, (_, index) => candidate(index + 1, BigInt(index + 1)))
    for (let seed = 0; seed < 100; seed++) {
      const drawn = drawCommittee(candidates, drawOf(seed, 5))
      expect(drawn.toSorted()).toEqual(candidates.map(({ operator }) => operator))
    }
  })

  test('has one member of an owner', () => {
    // 1, 2 and 3 are paid into the account of 1; 4 is paid into its own.
    const candidates = [candidate(1, 1n), candidate(2, 1n, 1), candidate(3, 1n, 1), candidate(4, 1n)]
    for (let seed = 0; seed < 100; seed++) {
      const drawn = drawCommittee(candidates, drawOf(seed, 5))
      expect(drawn).toHaveLength(2)
      expect(drawn).toContain(idOf(4))
    }
  })

  test('is drawn by deposit', () => {
    const candidates = [candidate(1, 1n), candidate(2, 2n), candidate(3, 7n)]
    const counts = new Map<AccountId, number>()
    for (let seed = 0; seed < SEEDS; seed++) {
      const [first] = drawCommittee(candidates, drawOf(seed, 1))
      counts.set(first!, (counts.get(first!) ?? 0) + 1)
    }
    for (const { operator, deposit } of candidates) {
      const probability = Number(deposit) / 10
      expect(Math.abs(counts.get(operator)! - SEEDS * probability)).toBeLessThan(bound(probability))
    }
  })

  test('is of liars alone no more often than their part of the deposits says', () => {
    // Twelve of forty with the same deposits: the product (12/40)…(8/36) is below 0.3⁵.
    const candidates = Array.from({ length: 40 }, (_, index) => candidate(index + 1))
    const liars = new Set(candidates.slice(0, 12).map(({ operator }) => operator))
    let alone = 0
    for (let seed = 0; seed < SEEDS; seed++) {
      if (drawCommittee(candidates, drawOf(seed, 5)).every((operator) => liars.has(operator))) alone++
    }
    const exact = (12 * 11 * 10 * 9 * 8) / (40 * 39 * 38 * 37 * 36)
    expect(exact).toBeLessThan(0.3 ** 5)
    expect(Math.abs(alone - SEEDS * exact)).toBeLessThan(bound(exact))
  })
})

describe('votes of the last round', () => {
  test('are the deposits while all can be asked', () => {
    const candidates = [candidate(1, 5n), candidate(2, 7n)]
    expect([...drawSeats(candidates, drawOf(0, 2))]).toEqual([
      [idOf(1), 5n],
      [idOf(2), 7n],
    ])
  })

  test('are seats by deposit when there are more, and splitting a deposit gains none', () => {
    // Half of the deposits belongs to one operator in the one case, to fifty in the other.
    const others = Array.from({ length: 50 }, (_, index) => candidate(index + 100, 10n))
    const whale = [candidate(1, 500n), ...others]
    const split = [...Array.from({ length: 50 }, (_, index) => candidate(index + 1, 10n)), ...others]
    for (const candidates of [whale, split]) {
      let seats = 0n
      const draws = 300
      for (let seed = 0; seed < draws; seed++) {
        const votes = drawSeats(candidates, drawOf(seed, 40))
        expect([...votes.values()].reduce((sum, count) => sum + count, 0n)).toBe(40n)
        for (const [operator, count] of votes) if (operator < idOf(100)) seats += count
      }
      const trials = draws * 40
      expect(Math.abs(Number(seats) - trials / 2)).toBeLessThan(6 * Math.sqrt(trials / 4))
    }
  })
})
