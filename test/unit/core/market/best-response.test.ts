import { describe, expect, test } from 'vitest'
import { bestResponse, type Machine, type PlacementVerdict } from '../../../../src/core/market/best-response.ts'
import type { Host, SegmentNeed } from '../../../../src/core/market/segment-balance.ts'
import { COMMON_RATE, plainNeeds } from '../../../placement-swarm.ts'

/** What a machine of the common rate adds to each segment of a run of so many. */
function flow(segments: number, share = 1): number {
  return Math.floor((share * 20_000 * 65_536) / (50 * segments))
}

function host(owner: string, first: number, end: number, more: Partial<Host> = {}): Host {
  return { owner, first, end, flow: flow(end - first), isServing: true, ...more }
}

function machine(bytes: number, now?: Machine['now'], more: Partial<Machine> = {}): Machine {
  return { owner: 'me', rate: COMMON_RATE, bytes, now, ...more }
}

function at(first: number, end: number, isServing = true): Machine['now'] {
  return { first, end, isServing }
}

interface Case {
  readonly what: string
  readonly needs?: readonly SegmentNeed[]
  readonly hosts: readonly Host[]
  readonly machine: Machine
  readonly verdict: PlacementVerdict
  readonly chosen: readonly [first: number, end: number] | undefined
  readonly keptBy?: readonly number[]
}

const FOUR = plainNeeds(4, 2)

describe('a machine', () => {
  test.each<Case>([
    {
      what: 'that holds nothing chooses nothing',
      hosts: [],
      machine: machine(0),
      verdict: 'nothing-fits',
      chosen: undefined,
    },
    { what: 'that holds all takes all', hosts: [], machine: machine(9), verdict: 'join', chosen: [0, 4] },
    { what: 'alone begins at the first segment', hosts: [], machine: machine(2), verdict: 'join', chosen: [0, 2] },
    {
      what: 'goes where nobody is',
      hosts: [host('a', 0, 2)],
      machine: machine(2),
      verdict: 'join',
      chosen: [2, 4],
    },
    {
      what: 'goes where an owner is missing rather than where little passes',
      hosts: [host('a', 0, 4), host('b', 0, 2, { flow: 1 })],
      machine: machine(2),
      verdict: 'join',
      chosen: [2, 4],
    },
    {
      what: 'does not count the same owner twice',
      hosts: [host('a', 0, 4), host('b', 2, 4), host('a', 0, 2)],
      machine: machine(2),
      verdict: 'join',
      chosen: [0, 2],
    },
    {
      what: 'goes where least passes when all have their owners',
      hosts: [host('a', 0, 4), host('b', 0, 4), host('c', 0, 2)],
      machine: machine(2),
      verdict: 'join',
      chosen: [2, 4],
    },
    {
      what: 'stays where it is best',
      hosts: [host('a', 0, 2)],
      machine: machine(2, at(2, 4)),
      verdict: 'best',
      chosen: [2, 4],
    },
    {
      what: 'stays where another place is better by less than an eighth',
      hosts: [host('a', 0, 4), host('b', 0, 4), host('c', 0, 4), host('d', 0, 2, { flow: flow(2, 0.2) })],
      machine: machine(2, at(0, 2)),
      verdict: 'close',
      chosen: [0, 2],
    },
    {
      what: 'moves for more than an eighth',
      hosts: [host('a', 0, 4), host('b', 0, 4), host('c', 0, 2), host('d', 0, 2)],
      machine: machine(2, at(0, 2)),
      verdict: 'move',
      chosen: [2, 4],
    },
    {
      what: 'does not leave what nobody else serves, not even for two such segments, but moves past what somebody does',
      hosts: [host('a', 0, 1)],
      machine: machine(2, at(0, 2)),
      verdict: 'move',
      chosen: [1, 3],
    },
    {
      what: 'does not leave one other owner behind to be the second one at two segments',
      hosts: [host('a', 0, 4), host('b', 1, 2)],
      machine: machine(2, at(0, 2)),
      verdict: 'needed',
      chosen: [0, 2],
      keptBy: [0],
    },
    {
      what: 'leaves one owner behind for segments that nobody serves',
      hosts: [host('a', 0, 2)],
      machine: machine(2, at(0, 2)),
      verdict: 'move',
      chosen: [2, 4],
    },
    {
      what: 'does not take the word of who only announced for somebody who serves',
      hosts: [host('a', 0, 2, { isServing: false }), host('b', 0, 4)],
      machine: machine(2, at(0, 2)),
      verdict: 'needed',
      chosen: [0, 2],
      keptBy: [0, 1],
    },
    {
      what: 'goes where nobody is rather than where little passes',
      hosts: [host('a', 0, 3), host('b', 0, 2)],
      machine: machine(1, at(0, 1)),
      verdict: 'move',
      chosen: [3, 4],
    },
    {
      what: 'that cannot go where nobody is goes nowhere else meanwhile',
      hosts: [host('a', 0, 2, { isServing: false })],
      machine: machine(2, at(0, 2)),
      verdict: 'close',
      chosen: [0, 2],
    },
    {
      what: 'gives up what it does not serve yet when somebody else announced it',
      hosts: [host('a', 0, 2, { isServing: false })],
      machine: machine(2, at(0, 2, false)),
      verdict: 'move',
      chosen: [2, 4],
    },
    {
      what: 'leaves to another machine of its owner what that serves',
      hosts: [host('me', 0, 2), host('a', 0, 2)],
      machine: machine(2, at(0, 2)),
      verdict: 'move',
      chosen: [2, 4],
    },
  ])('$what', ({ needs = FOUR, hosts, machine: who, verdict, chosen, keptBy = [] }) => {
    const decision = bestResponse(needs, hosts, who)
    expect(decision.verdict).toBe(verdict)
    expect(decision.chosen && [decision.chosen.first, decision.chosen.end]).toEqual(chosen)
    expect(decision.keptBy).toEqual(keptBy)
  })
})
