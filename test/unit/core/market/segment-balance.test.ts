import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  balanceOf,
  FLOW_MAX,
  flowOf,
  flowsOf,
  type Host,
  ownersOf,
  potentialOf,
} from '../../../../src/core/market/segment-balance.ts'
import { plainNeeds } from '../../../placement-swarm.ts'

function host(owner: string, first: number, end: number, flow = 100): Host {
  return { owner, first, end, flow, isServing: true }
}

describe('flow', () => {
  test('is rows per second: a machine of 20,000 CU/s computes 20 rows of 10⁹ multiply-accumulates', () => {
    expect(flowOf(20_000n << 16n, 1_000_000_000)).toBe(20 * 65_536)
  })

  test('halves when a machine serves twice the work', () => {
    expect(flowOf(20_000n << 16n, 500_000_000)).toBe(2 * flowOf(20_000n << 16n, 1_000_000_000))
  })

  test('has a bound, and a model without work is a bug', () => {
    expect(flowOf(2n ** 64n - 1n, 1)).toBe(FLOW_MAX)
    expect(() => flowOf(1n, 0)).toThrow('work')
  })
})

describe('potential', () => {
  test.each([
    [0, 0],
    [1, 65_536],
    [2, 92_681],
    [4, 131_072],
    [FLOW_MAX, 2 ** 32],
  ])('of %i is %i', (flow, potential) => {
    expect(potentialOf(flow)).toBe(potential)
  })

  test('is the exact root of flow · 2³², also where floating-point numbers round up', () => {
    const flows = fc.oneof(
      fc.integer({ min: 0, max: 2 ** 43 }),
      // Just below squares.
      fc.tuple(fc.integer({ min: 1, max: 2_900_000 }), fc.integer({ min: 0, max: 2 })).map(([root, less]) => {
        return Math.max(0, root * root - less)
      }),
    )
    fc.assert(
      fc.property(flows, (flow) => {
        const root = BigInt(potentialOf(flow))
        const square = BigInt(flow) << 32n
        expect(root * root <= square && (root + 1n) * (root + 1n) > square).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('refuses flows that no list of hosts has', () => {
    expect(() => potentialOf(2 ** 43 + 1)).toThrow('bounded')
    expect(() => potentialOf(-1)).toThrow('bounded')
  })
})

describe('census', () => {
  test.each<readonly [string, readonly Host[], readonly number[], readonly number[]]>([
    ['nobody', [], [0, 0, 0, 0], [0, 0, 0, 0]],
    ['two that overlap', [host('a', 0, 3), host('b', 2, 4)], [100, 100, 200, 100], [1, 1, 2, 1]],
    ['an owner twice', [host('a', 0, 2), host('a', 1, 4)], [100, 200, 100, 100], [1, 1, 1, 1]],
    [
      'an owner with a run between',
      [host('a', 2, 4), host('b', 1, 3), host('a', 0, 1)],
      [100, 100, 200, 100],
      [1, 1, 2, 1],
    ],
    ['runs of an owner that touch', [host('a', 0, 2), host('a', 2, 4)], [100, 100, 100, 100], [1, 1, 1, 1]],
  ])('of %s', (_who, hosts, flows, owners) => {
    expect(flowsOf(4, hosts)).toEqual(flows)
    expect(ownersOf(4, hosts)).toEqual(owners)
  })

  test('balance counts what nobody serves, owners that are missing, and weighted potential', () => {
    const needs = plainNeeds(3, 2).map((need, index) => ({ ...need, weight: index + 1 }))
    expect(balanceOf(needs, [host('a', 0, 2, 4), host('b', 1, 2, 5)])).toEqual({
      unserved: 1,
      missing: 1 + 0 + 2,
      potential: 1 * 131_072 + 2 * 196_608,
    })
  })

  test('segments that need nobody are not missed', () => {
    expect(balanceOf(plainNeeds(3, 0), [])).toEqual({ unserved: 0, missing: 0, potential: 0 })
  })
})
