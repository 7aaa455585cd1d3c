/** Which windows are audited: each as often as the share says, whatever the seed, and rows evenly within. */
import { describe, expect, test } from 'vitest'
import type { Hash } from '../../../../src/base/brand.ts'
import { hashOf } from '../../../../src/core/fields.ts'
import { taggedHash } from '../../../../src/core/hash.ts'
import { type DrawnWindow, drawWindows } from '../../../../src/core/market/audit-draw.ts'

const LEASE = seedOf(1_000_000)

function seedOf(number: number): Hash {
  return hashOf(taggedHash('test/seed', new Uint8Array(new Uint32Array([number]).buffer)))
}

function drawsOf(seeds: number, parts: { rows: number; share: number; receiptRows?: number }): DrawnWindow[][] {
  return Array.from({ length: seeds }, (_, number) =>
    drawWindows({ seed: seedOf(number), lease: LEASE, lot: 3, receiptRows: 256, ...parts }),
  )
}

/** Six standard deviations of a count of `trials` with this probability: chance passes it once in 10⁹ times. */
function bound(trials: number, probability: number): number {
  return 6 * Math.sqrt(trials * probability * (1 - probability))
}

const SEEDS = 4_000

describe('windows', () => {
  test.each([
    { rows: 100, share: 50 },
    { rows: 256 * 7, share: 50 },
    { rows: 256 * 20 + 1, share: 100 },
    { rows: 256 * 31, share: 33 },
    { rows: 256 * 9, share: 500 },
  ])('of $rows rows are each audited with probability $share ‰', ({ rows, share }) => {
    const counts = new Map<number, number>()
    for (const draw of drawsOf(SEEDS, { rows, share })) {
      for (const { window } of draw) counts.set(window, (counts.get(window) ?? 0) + 1)
    }
    const probability = share / 1_000
    for (let window = 0; window < Math.ceil(rows / 256); window++) {
      expect(Math.abs((counts.get(window) ?? 0) - SEEDS * probability)).toBeLessThan(bound(SEEDS, probability))
    }
  })

  test('are drawn once, in order, within the lot, and stand for their share of it', () => {
    for (const draw of drawsOf(500, { rows: 2_600, share: 300 })) {
      const windows = draw.map(({ window }) => window)
      expect(windows).toEqual([...new Set(windows)].sort((one, other) => one - other))
      for (const { window, row, standsFor } of draw) {
        expect(Math.floor(row / 256)).toBe(window)
        expect(row).toBeLessThan(2_600)
        expect(standsFor).toBe(3 * (window === 10 ? 40 : 256))
      }
    }
  })

  test('are all audited with a share of all, and none without rows', () => {
    expect(drawsOf(1, { rows: 513, share: 1_000 })[0]!.map(({ window }) => window)).toEqual([0, 1, 2])
    expect(drawsOf(1, { rows: 0, share: 1_000 })[0]).toEqual([])
  })

  test('of a very long lot are eight, which stand for the rest', () => {
    const [draw] = drawsOf(1, { rows: 256 * 8_000, share: 50 })
    expect(draw).toHaveLength(8)
    expect(draw!.every(({ standsFor }) => standsFor === 256 * 1_000)).toBe(true)
  })
})

test('rows of a window are as likely as one another', () => {
  const counts = new Map<number, number>()
  for (const draw of drawsOf(SEEDS, { rows: 16, share: 1_000, receiptRows: 16 })) {
    for (const { row } of draw) counts.set(row, (counts.get(row) ?? 0) + 1)
  }
  for (let row = 0; row < 16; row++) {
    expect(Math.abs(counts.get(row)! - SEEDS / 16)).toBeLessThan(bound(SEEDS, 1 / 16))
  }
})

test('credits by what audits stand for are right on average', () => {
  let stood = 0
  for (const draw of drawsOf(SEEDS, { rows: 900, share: 100 })) for (const { standsFor } of draw) stood += standsFor
  expect(stood / SEEDS / 900).toBeCloseTo(1, 1)
})

test('the draw hangs on seed, lease and lot', () => {
  const base = { seed: seedOf(1), lease: LEASE, lot: 0, rows: 256 * 200, receiptRows: 256, share: 40 }
  const all = [base, { ...base, seed: seedOf(2) }, { ...base, lease: seedOf(3) }, { ...base, lot: 1 }]
  expect(new Set(all.map((draw) => JSON.stringify(drawWindows(draw)))).size).toBe(4)
})
