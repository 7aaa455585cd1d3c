import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findRing, type RouteOffer, type RouteQuery } from '../../../src/ml/route.ts'

/** All orders of all subsets, the dullest way there is: the cheapest ring's cost, or undefined. */
function cheapestByForce({ offers, segmentCount, linkMs }: RouteQuery): number | undefined {
  let best: number | undefined
  const extend = (stages: readonly RouteOffer[]): void => {
    const reached = stages.at(-1)?.lastSegment ?? 0
    if (reached === segmentCount) {
      const cost = costOf(stages, linkMs)
      if (best === undefined || cost < best) best = cost
      return
    }
    for (const offer of offers) {
      if (offer.firstSegment !== reached || offer.lastSegment <= reached || offer.lastSegment > segmentCount) continue
      if (!stages.some(({ miner }) => miner === offer.miner)) extend([...stages, offer])
    }
  }
  extend([])
  return best
}

function costOf(stages: readonly RouteOffer[], linkMs: RouteQuery['linkMs']): number {
  const steps = stages.reduce((sum, { stepMs }) => sum + stepMs, 0)
  if (stages.length === 1) return steps
  return stages.reduce(
    (sum, { miner }, index) => sum + linkMs(miner, stages[(index + 1) % stages.length]!.miner),
    steps,
  )
}

const SEGMENTS = 4
const cost = fc.integer({ min: 0, max: 20 })
const offerOf = (miner: fc.Arbitrary<string>): fc.Arbitrary<RouteOffer> =>
  fc.record({
    miner,
    firstSegment: fc.integer({ min: 0, max: SEGMENTS - 1 }),
    lastSegment: fc.integer({ min: 1, max: SEGMENTS }),
    stepMs: cost,
  })
/** Whole numbers, so that every order of adding gives the same cost. */
const links = fc.array(cost, { minLength: 64, maxLength: 64 }).map((costs) => {
  return (from: string, to: string) => costs[(from.charCodeAt(0) % 8) * 8 + (to.charCodeAt(0) % 8)]!
})

function expectCheapest(query: RouteQuery): void {
  const found = findRing(query)
  const best = cheapestByForce(query)
  if ('missing' in found) {
    expect(best).toBeUndefined()
    return
  }
  expect(found.stepMs).toBe(best)
  expect(found.stepMs).toBe(costOf(found.stages, query.linkMs))
  expect(new Set(found.stages.map(({ miner }) => miner)).size).toBe(found.stages.length)
  expect(found.stages.map(({ firstSegment }) => firstSegment)).toEqual([
    0,
    ...found.stages.slice(0, -1).map(({ lastSegment }) => lastSegment),
  ])
  expect(found.stages.at(-1)!.lastSegment).toBe(query.segmentCount)
}

describe('the cheapest ring, as found by trying all', () => {
  test('of miners with one offer each', () => {
    const offers = fc.uniqueArray(offerOf(fc.constantFrom(...'abcdefgh')), {
      maxLength: 8,
      selector: ({ miner }) => miner,
    })
    fc.assert(
      fc.property(offers, links, (list, linkMs) => expectCheapest({ segmentCount: SEGMENTS, offers: list, linkMs })),
      { numRuns: 500 },
    )
  })

  test('of few miners with many offers, where a miner may not come twice', () => {
    const offers = fc.array(offerOf(fc.constantFrom('a', 'b', 'c')), { maxLength: 14 })
    fc.assert(
      fc.property(offers, links, (list, linkMs) => expectCheapest({ segmentCount: SEGMENTS, offers: list, linkMs })),
      { numRuns: 500 },
    )
  })
})

const offer = (miner: string, firstSegment: number, lastSegment: number, stepMs: number): RouteOffer => {
  return { miner, firstSegment, lastSegment, stepMs }
}
const split = [offer('a', 0, 1, 3), offer('b', 1, 2, 3)]
const flat = () => 2

describe('one machine that holds everything', () => {
  // Two steps of 3 and two links of 2 make 10.
  test.each([
    ['is preferred while it is faster', 9.9, ['whole']],
    ['is left aside while it is slower', 10.1, ['a', 'b']],
  ])('%s', (_case, stepMs, miners) => {
    const offers = [...split, offer('whole', 0, 2, stepMs)]
    expect(findRing({ segmentCount: 2, offers, linkMs: flat })).toMatchObject({
      stages: miners.map((miner) => ({ miner })),
    })
  })

  test('pays for no link', () => {
    const found = findRing({ segmentCount: 2, offers: [offer('whole', 0, 2, 5)], linkMs: () => 1_000 })
    expect(found).toMatchObject({ stepMs: 5 })
  })
})

test('the way back to stage 1 counts', () => {
  const linkMs = (from: string, to: string) => (from === 'b' && to === 'a' ? 100 : 1)
  const found = findRing({ segmentCount: 2, offers: [...split, offer('c', 1, 2, 50)], linkMs })
  expect(found).toMatchObject({ stages: [{ miner: 'a' }, { miner: 'c' }], stepMs: 55 })
})

describe('what nobody offers is named', () => {
  test.each<[string, RouteOffer[], number[]]>([
    ['everything', [], [0, 1, 2]],
    ['a hole', [offer('a', 0, 1, 1), offer('b', 2, 3, 1)], [1]],
    ['both ends', [offer('a', 1, 2, 1)], [0, 2]],
    ['nothing, when runs overlap but do not join', [offer('a', 0, 2, 1), offer('b', 1, 3, 1)], []],
    [
      'nothing, when one miner would have to come twice',
      [offer('a', 0, 1, 1), offer('b', 1, 2, 1), offer('a', 2, 3, 1)],
      [],
    ],
  ])('%s', (_case, offers, missing) => {
    expect(findRing({ segmentCount: 3, offers, linkMs: flat })).toEqual({ missing })
  })
})

describe('an offer that makes no sense is passed over:', () => {
  test.each([
    ['it ends before it begins', offer('x', 2, 1, 0)],
    ['it is empty', offer('x', 0, 0, 0)],
    ['it goes past the model', offer('x', 0, 3, 0)],
    ['it begins before the model', offer('x', -1, 2, 0)],
    ['its cost is not a number', offer('x', 0, 2, Number.NaN)],
    ['its cost is negative', offer('x', 0, 2, -1)],
    ['its cost is infinite', offer('x', 0, 2, Number.POSITIVE_INFINITY)],
  ])('%s', (_case, bad) => {
    const found = findRing({ segmentCount: 2, offers: [bad, ...split], linkMs: flat })
    expect(found).toMatchObject({ stages: [{ miner: 'a' }, { miner: 'b' }] })
  })
})
