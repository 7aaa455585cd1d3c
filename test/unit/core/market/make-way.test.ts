/** Chains of machines towards a segment that nobody serves. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bestResponse, isMoveStillGood } from '../../../../src/core/market/best-response.ts'
import { wayToGap } from '../../../../src/core/market/make-way.ts'
import { type Host, ownersOf } from '../../../../src/core/market/segment-balance.ts'
import { COMMON_RATE, hostsOf, type Member, plainNeeds, settle } from '../../../placement-swarm.ts'

const NEEDS = plainNeeds(8, 1)

function host(owner: string, first: number, end: number, isServing = true): Host {
  return { owner, first, end, flow: 100, isServing }
}

/** Each is needed where it is, but for the first two, which share a segment; nobody serves the last one. */
const CHAIN = [host('a', 0, 2), host('b', 1, 3), host('c', 3, 5), host('d', 5, 7)]

describe('the way to a gap', () => {
  test.each<readonly [string, readonly Host[], readonly [owner: string, first: number, end: number] | undefined]>([
    ['there is none', [host('a', 0, 8)], undefined],
    ['nobody is there at all', [], undefined],
    ['one machine can go there', [host('a', 0, 7), host('b', 0, 2)], ['b', 6, 8]],
    ['a chain ends where two machines share a segment', CHAIN, ['b', 2, 4]],
    ['everybody is needed', [host('a', 0, 2), host('b', 2, 4), host('c', 4, 6)], undefined],
    ['who could go has announced only', [host('a', 0, 7), host('b', 0, 2, false)], undefined],
    ['somebody has announced that it comes', [...CHAIN, host('e', 7, 8, false)], undefined],
  ])('where %s', (_what, hosts, expected) => {
    const way = wayToGap(NEEDS, hosts)
    expect(way && [way.host.owner, way.run.first, way.run.end]).toEqual(expected)
    // Everybody finds the same one.
    expect(wayToGap(NEEDS, [...hosts].reverse())).toEqual(way)
  })

  test('is no matter of segments that nobody needs, nor of other models', () => {
    const needs = NEEDS.map((need, index) => ({ ...need, owners: index < 7 ? 1 : 0 }))
    expect(wayToGap(needs, CHAIN)).toBeUndefined()
    const models = NEEDS.map((need, index) => ({ ...need, model: index < 7 ? 0 : 1 }))
    expect(wayToGap(models, CHAIN)).toBeUndefined()
  })
})

describe('a machine at the free end of a chain', () => {
  const self = { owner: 'b', rate: COMMON_RATE, bytes: 2, now: { first: 1, end: 3, isServing: true } }
  const others = CHAIN.filter(({ owner }) => owner !== 'b')

  test('makes way, although it serves nothing more by that', () => {
    const { verdict, chosen, gaps } = bestResponse(NEEDS, others, self)
    expect([verdict, chosen?.first, chosen?.end, gaps]).toEqual(['make-way', 2, 4, [7]])
    expect(isMoveStillGood(NEEDS, others, { machine: self, run: { first: 2, end: 4 } })).toBe(true)
  })

  test('does not where another one is there first, or it has no memory for the move', () => {
    const later = [...others, host('e', 6, 8)]
    expect(isMoveStillGood(NEEDS, later, { machine: self, run: { first: 2, end: 4 } })).toBe(false)
    expect(bestResponse(NEEDS, others, { ...self, bytes: 1 }).verdict).not.toBe('make-way')
  })

  test('is followed by the next ones, until all is served, and at no time does a segment lose its last one', () => {
    const members: Member[] = CHAIN.map(({ owner, first, end }) => ({
      ...{ owner, rate: COMMON_RATE, bytes: 2, now: { first, end } },
    }))
    const seen: string[] = []
    settle(NEEDS, members, ({ owner }, { verdict, chosen }) => {
      const before = ownersOf(8, hostsOf(NEEDS, members))
      seen.push(`${owner} ${verdict} ${chosen!.first}-${chosen!.end}`)
      expect(before.slice(0, 7).every((count) => count > 0)).toBe(true)
    })
    expect(seen).toEqual(['b make-way 2-4', 'c make-way 4-6', 'd move 6-8'])
    expect(ownersOf(8, hostsOf(NEEDS, members))).toEqual([1, 1, 1, 1, 1, 1, 1, 1])
  })
})

test('machines of one size that are just enough serve every segment again after any loss', () => {
  const swarm = fc.record({
    length: fc.integer({ min: 2, max: 3 }),
    spare: fc.integer({ min: 1, max: 3 }),
    lost: fc.nat(),
  })
  fc.assert(
    fc.property(swarm, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), ({ length, spare, lost }, starts) => {
      const needs = plainNeeds(8, 1)
      const count = Math.ceil(8 / length) + spare
      const members: Member[] = Array.from({ length: count }, (_, index) => {
        const first = starts[index]! % (9 - length)
        return { owner: `owner-${index}`, rate: COMMON_RATE, bytes: length, now: { first, end: first + length } }
      })
      const rest = members.filter((_, index) => index !== lost % count)
      settle(needs, rest)
      expect(ownersOf(8, hostsOf(needs, rest)).every((owners) => owners > 0)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
