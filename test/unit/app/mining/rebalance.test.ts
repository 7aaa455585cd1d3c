/** When a miner looks whether it is needed elsewhere, and what it says of it. */
import { expect, test } from 'vitest'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import type { MiningMode } from '../../../../src/app/mining/mode.ts'
import { createRebalance, type RebalanceParts, type SegmentChoice } from '../../../../src/app/mining/rebalance.ts'
import { RingError } from '../../../../src/app/ring/ring-error.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { generator } from '../../../contract/random-model.ts'
import { head, MODEL } from './views.ts'

const NEVER = new AbortController().signal
const MOVE: SegmentChoice = {
  move: { first: 1, end: 3 },
  worth: [1, 1, 500],
  text: 'Segment 3 has nobody: it moves there.',
}

function world(
  seed: number,
  {
    choice = MOVE,
    isStillGood = true,
    placementBlocks = 1_000,
  }: { choice?: SegmentChoice; isStillGood?: boolean; placementBlocks?: number } = {},
) {
  const looks: number[] = []
  const moved: unknown[] = []
  const events: MiningEvent[] = []
  const state = {
    mode: 'run' as MiningMode,
    until: 1 as number | undefined,
    failure: undefined as Error | undefined,
    placementBlocks,
  }
  let height = 0
  const draw = generator(seed)
  const parts = {
    chooser: {
      choose: async () => {
        looks.push(height)
        return choice
      },
      isStillGood: async () => isStillGood,
    },
    keeper: { find: () => ({ model: { hash: MODEL } }) },
    markets: {
      all: [
        {
          placement: {
            run: { model: MODEL },
            get until() {
              return state.until
            },
          },
        },
      ],
    },
    moves: {
      async moveTo(_model, { confirm, ...run }) {
        if (state.failure !== undefined) throw state.failure
        const isMoved = await confirm!()
        if (isMoved) moved.push(run)
        return isMoved
      },
    } as Partial<RebalanceParts['moves']>,
    notes: { say: (event: MiningEvent) => void events.push(event) },
    mode: () => state.mode,
    placementBlocks: () => state.placementBlocks,
  } as unknown as RebalanceParts
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => draw.integer(256)) }
  const { duty, idle } = createRebalance(parts, { log: { write: () => undefined }, random })
  const run = async (blocks: number): Promise<void> => {
    for (const end = height + blocks; height < end; ) {
      await duty.look(head(++height), NEVER)
      await idle()
    }
  }
  return { run, looks, moved, events, state }
}

test.each([
  [1_000, 150, 450],
  [60, 30, 90],
])(
  'where placements last %i blocks it looks every %i to %i where nothing is to be moved, each miner at its own times',
  async (placementBlocks, least, most) => {
    const choice: SegmentChoice = { move: undefined, worth: [], text: 'Best here.' }
    const worlds = [1, 2].map((seed) => world(seed, { choice, placementBlocks }))
    for (const one of worlds) await one.run(20 * most)
    for (const { looks, events } of worlds) {
      const gaps = looks.map((at, index) => at - (looks[index - 1] ?? 0))
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(least)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(most + 1)
      expect(events).toEqual([])
    }
    expect(worlds[0]!.looks).not.toEqual(worlds[1]!.looks)
  },
)

test('it says why it moves, and looks again soon, since another may have left the same segments', async () => {
  const { run, looks, moved, events } = world(3)
  await run(500)
  expect(moved[0]).toEqual({ first: 1, end: 3 })
  expect(events[0]).toMatchObject({ type: 'state', text: MOVE.text })
  expect(looks[1]! - looks[0]!).toBeLessThanOrEqual(30)
})

test('it stays when others have moved while it was loading', async () => {
  const { run, moved, events } = world(4, { isStillGood: false })
  await run(2_000)
  expect(moved).toEqual([])
  expect(events.map(({ text }) => text)).toEqual([
    MOVE.text,
    'Stays where it is: others have moved, or its model has ended, meanwhile.',
  ])
})

test('a move that fails is told once, and tried again later', async () => {
  const { run, looks, events, state } = world(5)
  state.failure = new RingError('RING_BUSY', 'No.')
  await run(2_000)
  expect(looks.length).toBeGreaterThan(3)
  expect(events.map(({ text }) => text)).toEqual([MOVE.text, 'Cannot move: No. (RING_BUSY)'])
})

test('it looks at nothing while it takes no jobs, is not placed, or has not seen the parameters', async () => {
  const { run, looks, state } = world(6)
  state.mode = 'pause'
  await run(1_000)
  state.mode = 'run'
  state.until = undefined
  await run(1_000)
  state.until = 1
  state.placementBlocks = 0
  await run(1_000)
  expect(looks).toEqual([])
})

test('of several models the one moves first whose move adds most, and while it does another one may', async () => {
  const ids = ['0a', '0b', '0c'].map((byte) => hash(byte.repeat(32)))
  const worths = new Map(
    ids.map((id, index) => [
      id,
      [
        [0, 1, 90],
        [1, 0, 5],
        [0, 1, 80],
      ][index]!,
    ]),
  )
  const begun: string[] = []
  const waiting = Promise.withResolvers<boolean>()
  const choose = async ({ model }: { model: { hash: Hash } }): Promise<SegmentChoice> => ({
    ...MOVE,
    worth: worths.get(model.hash)!,
  })
  const parts = {
    chooser: { choose, isStillGood: async () => true },
    keeper: { find: (model: Hash) => ({ model: { hash: model } }) },
    markets: { all: ids.map((model) => ({ placement: { run: { model }, until: 1 } })) },
    moves: {
      moveTo: (model: Hash) => {
        begun.push(model)
        return waiting.promise
      },
    },
    notes: { say: () => undefined },
    mode: () => 'run',
    placementBlocks: () => 1_000,
  } as unknown as RebalanceParts
  const draw = generator(1)
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => draw.integer(256)) }
  const { duty, idle } = createRebalance(parts, { log: { write: () => undefined }, random })
  let height = 0
  for (const expected of [[ids[1]], [ids[1], ids[0]], [ids[1], ids[0], ids[2]]]) {
    while (begun.length < expected.length) await duty.look(head(++height), NEVER)
    expect(begun).toEqual(expected)
  }
  waiting.resolve(false)
  await idle()
})
