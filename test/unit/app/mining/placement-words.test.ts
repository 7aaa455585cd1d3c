/** What `dllm mine --why` says, from what was weighed. */
import { describe, expect, test } from 'vitest'
import type { PlacementView } from '../../../../src/app/chain/market-access.ts'
import { type PlaceCost, placeCostOf } from '../../../../src/app/mining/placement-facts.ts'
import {
  holdsAllWords,
  placeCostWords,
  placementWords,
  type Weighed,
} from '../../../../src/app/mining/placement-words.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { bestResponse, type Machine } from '../../../../src/core/market/best-response.ts'
import type { Host, SegmentNeed } from '../../../../src/core/market/segment-balance.ts'
import { COMMON_RATE, plainNeeds } from '../../../placement-swarm.ts'
import { OWN, placement } from './views.ts'

const GIB = 1_073_741_824
const NEEDS: readonly SegmentNeed[] = plainNeeds(4, 2).map((need) => ({ ...need, bytes: GIB }))
/** Rows per second × 2¹⁶ of the common rate through two segments: 200. */
const FLOW = 200 * 65_536

function host(owner: string, first: number, end: number, flow = FLOW): Host {
  return { owner, first, end, flow, isServing: true }
}

function weighed(hosts: readonly Host[], gibibytes: number, now?: Machine['now']): Weighed {
  const machine: Machine = { owner: 'me', rate: COMMON_RATE, bytes: gibibytes * GIB, now }
  const decision = bestResponse(NEEDS, hosts, machine)
  return { model: 'tiny', needs: NEEDS, decision, bytes: machine.bytes, isServing: now?.isServing === true }
}

function at(first: number, end: number, isServing = true): Machine['now'] {
  return { first, end, isServing }
}

const [A, B] = [host('a', 0, 4), host('b', 0, 4)]

test.each<readonly [string, Weighed, readonly string[]]>([
  [
    'no segment fits',
    weighed([], 0.5),
    ['No segment of tiny fits: the smallest takes 1.0 GiB, and there is room for 512 MiB of weights.'],
  ],
  [
    'nobody is there',
    weighed([], 2.5),
    [
      'This machine should serve segments 1 to 2 of the 4 of tiny: 2.0 GiB of weights, with room for 2.5 GiB.',
      'Nobody else serves them, and without every segment nobody gets an answer.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'some have nobody, some one owner',
    weighed([host('a', 0, 3)], 2),
    [
      'This machine should serve segments 3 to 4 of the 4 of tiny: 2.0 GiB of weights, with room for 2.0 GiB.',
      'Nobody else serves 1 of them, and without every segment nobody gets an answer.',
      '1 of them has fewer than 2 other owners: if a machine is lost, so is a segment.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'all have one owner',
    weighed([A], 2),
    [
      'This machine should serve segments 1 to 2 of the 4 of tiny: 2.0 GiB of weights, with room for 2.0 GiB.',
      'All of them have fewer than 2 other owners: if a machine is lost, so is a segment.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'all have enough owners',
    weighed([A, B, host('c', 0, 2)], 2),
    [
      'This machine should serve segments 3 to 4 of the 4 of tiny: 2.0 GiB of weights, with room for 2.0 GiB.',
      'Others compute 400 tokens per second at its weakest segment, and 600 tokens per second at the weakest of the rest.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'another place is better by enough',
    weighed([A, B, host('c', 0, 2), host('d', 0, 2)], 2, at(0, 2)),
    [
      'This machine should serve segments 3 to 4 of tiny instead of segments 1 to 2.',
      'Others compute 400 tokens per second at its weakest segment, and 800 tokens per second at the weakest of the rest.',
      'With this machine 200 tokens per second more pass there.',
      'Others serve well enough what it leaves.',
    ],
  ],
  [
    'another place is better by too little',
    weighed([A, B, host('c', 0, 2, FLOW / 5)], 2, at(0, 2)),
    [
      'This machine should go on serving segments 1 to 2 of tiny.',
      'Others compute 440 tokens per second at its weakest segment, and 400 tokens per second at the weakest of the rest.',
      'With this machine 200 tokens per second more pass there.',
      'Segments 3 to 4 would be better by 3.9 %; it moves for more than 12.5 %, since a move costs a download.',
    ],
  ],
  [
    'nothing is better',
    weighed([host('a', 0, 2)], 2, at(2, 4)),
    [
      'This machine should go on serving segments 3 to 4 of tiny.',
      'Nothing else that fits is better.',
      'Nobody else serves them, and without every segment nobody gets an answer.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'nobody else serves what it would leave',
    weighed([host('a', 2, 4), host('b', 1, 2)], 2, at(0, 2)),
    [
      'This machine should go on serving segments 1 to 2 of tiny.',
      'Nothing else that fits is better.',
      'Nobody else serves 1 of them, and without every segment nobody gets an answer.',
      '1 of them has fewer than 2 other owners: if a machine is lost, so is a segment.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'one owner would be left behind',
    weighed([A, host('b', 1, 2)], 2, at(0, 2)),
    [
      'This machine should go on serving segments 1 to 2 of tiny.',
      'Segments 3 to 4 would be better, but without this machine segment 1 would have fewer than 2 owners.',
    ],
  ],
  [
    'nobody can go where nobody is, and something else would be better',
    weighed([{ ...host('a', 0, 2), isServing: false }], 2, at(0, 2)),
    [
      'This machine should go on serving segments 1 to 2 of tiny.',
      'Nobody else serves them, and without every segment nobody gets an answer.',
      'With this machine 200 tokens per second more pass there.',
      'While nobody serves segments 3 and 4, it moves for nothing else.',
    ],
  ],
  [
    'it has a run on its disk',
    weighed([A, B], 2, at(2, 4, false)),
    [
      'This machine should serve segments 3 to 4 of the 4 of tiny, which it has already: 2.0 GiB of weights, with room for 2.0 GiB.',
      'Nothing else that fits is better.',
      'Others compute 400 tokens per second at its weakest segment, and 400 tokens per second at the weakest of the rest.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
  [
    'it has a run on its disk, and another is needed more',
    weighed([A, host('b', 2, 4)], 2, at(2, 4, false)),
    [
      'This machine should serve segments 1 to 2 of tiny instead of segments 3 to 4, which it has already.',
      'All of them have fewer than 2 other owners: if a machine is lost, so is a segment.',
      'With this machine 200 tokens per second more pass there.',
    ],
  ],
])('%s', (_what, facts, words) => {
  expect(placementWords(facts)).toEqual(words)
})

test('another one can go where nobody is if it makes way', () => {
  const needs = plainNeeds(8, 1)
  const machine: Machine = { owner: 'me', rate: COMMON_RATE, bytes: 2, now: at(1, 3) }
  const decision = bestResponse(needs, [host('a', 0, 2), host('c', 3, 5), host('d', 5, 7)], machine)
  expect(placementWords({ model: 'tiny', needs, decision, bytes: 2, isServing: true })).toEqual([
    'This machine should serve segments 3 to 4 of tiny instead of segments 2 to 3.',
    'So another one, which is needed there, can go where nobody is: to segment 8, or closer to it.',
  ])
})

test.each<readonly [string, readonly Host[], readonly string[]]>([
  ['nobody else is there', [], ['4 segments of it have fewer than 2 other owners.']],
  ['one segment is short', [A, host('b', 1, 4)], ['1 segment of it has fewer than 2 other owners.']],
  ['others are enough', [A, B], []],
])('a machine that holds all, where %s', (_what, hosts, more) => {
  expect(holdsAllWords(weighed(hosts, 5))).toEqual([
    'This machine should serve all 4 segments of tiny: they take 4.0 GiB, and there is room for 5.0 GiB of weights.',
    ...more,
  ])
})

describe('a place', () => {
  const PLACES = MARKET_LIMITS.placementsPerModelMax
  const full = (change: (index: number) => Partial<PlacementView>): PlacementView[] =>
    Array.from({ length: PLACES }, (_, index) => placement({ operator: `ldllm1${index}`, ...change(index) }))

  test.each<readonly [string, readonly PlacementView[], PlaceCost | undefined, readonly string[]]>([
    ['where there is room', full(() => ({})).slice(1), undefined, []],
    ['where one has ended', full((index) => ({ live: index > 0 })), undefined, []],
    ['that is there already', full((index) => ({ operator: index === 9 ? OWN : 'other' })), undefined, []],
    [
      'where a deposit gives way',
      full((index) => ({ used: 1, deposit: `${1_000_000_000 + index}` })),
      { lowest: 1_000_000_000n },
      ['All 1024 places on the chain are taken: one is to be had for a deposit of more than 1 DLLM.'],
    ],
  ])('%s', (_case, placements, cost, words) => {
    expect(placeCostOf(placements, OWN)).toEqual(cost)
    expect(placeCostWords(cost)).toEqual(words)
  })
})
