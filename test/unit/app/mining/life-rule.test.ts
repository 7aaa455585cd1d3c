/** What a miner does as versions of its models come and go, from what the chain says of them. */
import { describe, expect, test } from 'vitest'
import type { ModelView } from '../../../../src/app/chain/market-access.ts'
import { type LifeFacts, lifeSteps, newestOf, sameShare } from '../../../../src/app/mining/life-rule.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { model } from './views.ts'

const [V1, V2, V3, STRANGE] = ['01', '02', '03', '09'].map((byte) => hash(byte.repeat(32))) as [Hash, Hash, Hash, Hash]
const CANARY = { root: hash('cc'.repeat(32)), bytes: 1_000 }

type Life = Partial<Pick<ModelView, 'status' | 'predecessor' | 'successor' | 'canary' | 'dueHeight'>>

function view(of: Hash, life: Life = {}): ModelView {
  return model({ model: of, name: of.slice(0, 2), ...life })
}

function steps(
  models: readonly ModelView[],
  change: Partial<Record<Exclude<keyof LifeFacts, 'models' | 'successors'>, Hash[]>>,
  successors: readonly (readonly [Hash, Hash])[] = [],
): string[] {
  const sets = Object.fromEntries(
    (['served', 'followed', 'left', 'seen', 'checked', 'begun'] as const).map((name) => [
      name,
      new Set(change[name] ?? []),
    ]),
  ) as unknown as Omit<LifeFacts, 'models' | 'successors'>
  return lifeSteps({ ...sets, models, successors: new Map(successors) }).map((step) => {
    const of = typeof step.model === 'string' ? step.model : step.model.model
    return `${step.type} ${of.slice(1, 2)}${step.type === 'end' ? ` ${step.why}` : ''}`
  })
}

const ACTIVE = view(V1)
const PUBLISHED = view(V2, { status: 'published', predecessor: V1 })
const APPROVED = view(V2, { status: 'approved', predecessor: V1, dueHeight: 50, canary: CANARY })
const TAKEN = [view(V1, { status: 'superseded', successor: V2 }), view(V2, { predecessor: V1 })]

describe('a miner of a model', () => {
  test.each<[string, ModelView[], Parameters<typeof steps>[1], string[]]>([
    ['does nothing while it is active', [ACTIVE], { served: [V1] }, []],
    ['waits while another version waits for a vote', [ACTIVE, PUBLISHED], { served: [V1] }, []],
    ['begins with one that was approved', [ACTIVE, APPROVED], { served: [V1] }, ['begin 2']],
    ['does not begin with what takes the place of others', [ACTIVE, APPROVED], { served: [STRANGE] }, []],
    ['does not try again what failed its canary', [ACTIVE, APPROVED], { served: [V1], checked: [V2] }, []],
    ['has nothing to do until it is active', [ACTIVE, APPROVED], { served: [V1, V2], checked: [V2] }, []],
    ['runs the canary of what it serves already', [ACTIVE, APPROVED], { served: [V1, V2] }, ['check 2']],
    ['ends the version before', TAKEN, { served: [V1, V2] }, ['end 1 superseded']],
    ['was away, and begins with what took its place', TAKEN, { served: [V1] }, ['begin 2', 'end 1 superseded']],
    ['begins with it also when it had to end the first before', TAKEN, { left: [V1] }, ['begin 2']],
    ['keeps the files of the version before while it may come back', TAKEN, { served: [V2], left: [V1] }, []],
    [
      'removes them when it has retired',
      [view(V1, { status: 'retired' }), view(V2, { predecessor: V1 })],
      { served: [V2], left: [V1] },
      ['remove 1'],
    ],
    [
      'removes them when the chain has forgotten it',
      [TAKEN[1]!],
      { served: [V2], left: [V1], seen: [V1] },
      ['remove 1'],
    ],
    ['ends what retired while it was served', [TAKEN[1]!], { served: [V1, V2], seen: [V1] }, ['end 1 retired']],
    ['leaves alone what nobody registered', [], { served: [V1] }, []],
    [
      'ends what it began with and the chain gave up',
      [ACTIVE, PUBLISHED],
      { served: [V1, V2], followed: [V2] },
      ['end 2 given-up'],
    ],
    [
      'breaks off what the chain gave up meanwhile',
      [ACTIVE, PUBLISHED],
      { served: [V1], begun: [V2] },
      ['break-off 2'],
    ],
    ['breaks off what is gone', [ACTIVE], { served: [V1], begun: [V2] }, ['break-off 2']],
    [
      'breaks off what was superseded before it was here',
      [view(V2, { status: 'superseded', successor: V3 }), view(V3, { predecessor: V2 })],
      { left: [V2], begun: [V2] },
      ['break-off 2', 'begin 3'],
    ],
    ['goes on with what became active meanwhile', TAKEN, { left: [V1], begun: [V2] }, ['begin 2']],
    ['serves on what a person began with', [ACTIVE, PUBLISHED], { served: [V1, V2] }, []],
  ])('%s', (_case, models, facts, expected) => {
    expect(steps(models, facts)).toEqual(expected)
  })

  test('goes back when a vote brings the version before back', () => {
    const back = view(V1, { status: 'approved', successor: V2, dueHeight: 90, canary: CANARY })
    expect(steps([back, view(V2, { predecessor: V1 })], { served: [V2], left: [V1] })).toEqual(['begin 1'])
    expect(steps([back, view(V2, { predecessor: V1 })], { served: [V1, V2] })).toEqual(['check 1'])
    const backAgain = [view(V1), view(V2, { status: 'superseded', predecessor: V1, successor: V1 })]
    expect(steps(backAgain, { served: [V1, V2] })).toEqual(['end 2 superseded'])
  })

  test('serves it again when what took its place was retired, and ends that one', () => {
    expect(steps([ACTIVE], { served: [V2], left: [V1], seen: [V1, V2] })).toEqual(['begin 1', 'end 2 retired'])
    expect(steps([ACTIVE], { served: [V1], left: [V2], seen: [V1, V2] })).toEqual(['remove 2'])
  })

  test('that the chain has forgotten, with those after it, goes on with the last that it has seen take a place', () => {
    const last = view(V3, { predecessor: V2 })
    const seen = { served: [V1], seen: [V1, V2, V3] }
    const known = [[V1, V2] as const, [V2, V3] as const]
    expect(steps([last], seen, known)).toEqual(['begin 3', 'end 1 retired'])
    expect(steps([last], seen, [])).toEqual(['end 1 retired'])
    expect(steps([view(V1), last], seen, known)).toEqual([])
  })

  test('of two that are to take one place begins with the one that is looked at first', () => {
    const rival = view(V3, { status: 'approved', predecessor: V1, dueHeight: 40 })
    expect(steps([ACTIVE, APPROVED, rival], { served: [V1] })).toEqual(['begin 3'])
  })

  test('that was registered anew under its old hash does not follow what took its place once', () => {
    expect(steps([ACTIVE, view(V2, { predecessor: V1 })], { served: [V1] })).toEqual([])
  })
})

test.each<[string, [Hash, Hash][], Hash]>([
  ['nothing took its place', [], V1],
  [
    'two versions after it',
    [
      [V1, V2],
      [V2, V3],
    ],
    V3,
  ],
  [
    'it was brought back once',
    [
      [V1, V2],
      [V2, V1],
    ],
    V2,
  ],
  [
    'it was brought back, and another one came',
    [
      [V1, V3],
      [V2, V1],
    ],
    V3,
  ],
])('the newest of a model where %s', (_case, successors, newest) => {
  expect(newestOf(V1, new Map(successors))).toBe(newest)
})

test.each([
  [{ first: 1, end: 3 }, 6, 6, { first: 1, end: 3 }],
  [{ first: 0, end: 6 }, 6, 9, { first: 0, end: 9 }],
  [{ first: 1, end: 2 }, 3, 4, { first: 1, end: 3 }],
  [{ first: 2, end: 3 }, 3, 2, { first: 1, end: 2 }],
])('the share %o of %i segments is, of %i, %o', (run, before, after, expected) => {
  expect(sameShare(run, { before, after })).toEqual(expected)
})
