import fc from 'fast-check'
import { expect, test } from 'vitest'
import { freeShare, type Shareholder } from '../../../../src/app/posts/shares.ts'

function holder(used: number, isLeaving = false): Shareholder {
  return { used, isLeaving }
}

test.each<[string, number, Shareholder, Shareholder[], number]>([
  ['who is alone has all of it', 64, holder(10), [], 54],
  ['beside another, its part of one half waits', 64, holder(0), [holder(0)], 48],
  ['what the other took beyond its part is gone', 64, holder(0), [holder(40)], 24],
  ['of three each has a sixth for itself', 60, holder(0), [holder(50), holder(0)], 0],
  ['who takes nothing has its own part still', 60, holder(0), [holder(40), holder(0)], 10],
  ['for one that is leaving nothing waits', 64, holder(0), [holder(5, true)], 59],
  ['one that is leaving takes what is left by those that stay', 64, holder(3, true), [holder(0)], 29],
  ['never less than nothing', 10, holder(9), [holder(9)], 0],
])('%s', (_case, total, own, others, free) => {
  expect(freeShare(total, own, others)).toBe(free)
})

test('whoever comes in whatever order, nobody is kept out of its part, and all together take no more than there is', () => {
  const asked = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 20 })), { maxLength: 60 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), asked, (count, wishes) => {
      const total = 100
      const holders = Array.from({ length: count }, () => ({ used: 0, isLeaving: false }))
      const freeOf = (index: number): number =>
        freeShare(
          total,
          holders[index]!,
          holders.filter((_, other) => other !== index),
        )
      for (const [who, amount] of wishes) {
        const index = who % count
        if (amount <= freeOf(index)) holders[index]!.used += amount
      }
      const reserve = Math.floor(total / (2 * count))
      expect(holders.reduce((sum, { used }) => sum + used, 0)).toBeLessThanOrEqual(total)
      for (const [index, { used }] of holders.entries()) expect(used + freeOf(index)).toBeGreaterThanOrEqual(reserve)
    }),
  )
})
