import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutsToTry, lotsOf, type ServedRun } from '../../../../src/app/market/client-cuts.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'

/** `a:0-6` is a run of owner a. */
function runsIn(text: string): ServedRun[] {
  return text.split(' ').map((one) => {
    const [, owner, first, end] = /^(\w+):(\d+)-(\d+)$/.exec(one)!
    return { owner: owner!, first: Number(first), end: Number(end) }
  })
}

test.each<[what: string, runs: string, best: number[] | undefined]>([
  ['one miner with all of it', 'a:0-6', []],
  ['miners with all of it', 'a:0-6 b:0-6 c:0-6', []],
  ['a miner for each part', 'a:0-2 b:2-4 c:4-6', [2, 4]],
  ['parts that overlap', 'a:0-3 b:0-3 c:2-6 d:2-6', [3]],
  ['one miner with all and several with parts', 'a:0-6 b:0-3 c:3-6 d:3-6', [3]],
  ['a part that one miner only has', 'a:0-3 b:0-3 c:3-6', [3]],
  ['one miner with all of it and one with a little', 'a:0-6 b:0-1', []],
  ['a hole', 'a:0-2 b:3-6', undefined],
  ['one miner who would have to serve twice', 'a:0-3 a:3-6', undefined],
  ['a run beyond the model', 'a:0-7', undefined],
  ['an empty run', 'a:0-0 b:0-6', []],
  ['nobody', 'a:6-6', undefined],
])('for %s, the best cuts are as expected', (_what, text, best) => {
  expect(cutsToTry(6, runsIn(text))[0]).toEqual(best)
})

const SEGMENTS = 12
const anyRun = fc
  .tuple(fc.nat({ max: 9 }), fc.nat({ max: SEGMENTS }), fc.nat({ max: SEGMENTS + 1 }))
  .map(([owner, a, b]): ServedRun => ({ owner: `o${owner}`, first: Math.min(a, b), end: Math.max(a, b) }))

/** Whether lots can be shared out, by looking at every way. */
function isShareable(lots: readonly { first: number; end: number }[], runs: readonly ServedRun[]): boolean {
  const [lot, ...rest] = lots
  if (lot === undefined) return true
  return runs.some(
    ({ owner, first, end }) =>
      first <= lot.first &&
      end >= lot.end &&
      isShareable(
        rest,
        runs.filter((other) => other.owner !== owner),
      ),
  )
}

test('cuts rise, cover the model, and give each lot a miner of its own', () => {
  fc.assert(
    fc.property(fc.array(anyRun, { maxLength: 9 }), (runs) => {
      const found = cutsToTry(SEGMENTS, runs)
      for (const cuts of found) {
        const lots = lotsOf(SEGMENTS, cuts)
        expect(lots.length).toBeLessThanOrEqual(MARKET_LIMITS.leaseLotsMax)
        for (const { first, end } of lots) expect(first).toBeLessThan(end)
        expect(lots.at(-1)!.end).toBe(SEGMENTS)
        expect(isShareable(lots, runs)).toBe(true)
      }
      expect(new Set(found.map(String)).size).toBe(found.length)
    }),
    { numRuns: 300 },
  )
})

test('where miners of their own cover the model without a gap, there are cuts', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: SEGMENTS - 1 }), { maxLength: 8 }), (inside) => {
      const ends = [...inside.sort((a, b) => a - b), SEGMENTS]
      const runs = ends.map((end, index) => ({ owner: `o${index}`, first: ends[index - 1] ?? 0, end }))
      expect(cutsToTry(SEGMENTS, runs)[0]).toEqual(ends.slice(0, -1))
    }),
  )
})
