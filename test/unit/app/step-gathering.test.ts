/** How long a stage waits for the steps of other sessions before a batch. @module */
import { beforeEach, expect, test } from 'vitest'
import { createStepGathering, type StepGathering } from '../../../src/app/step-gathering.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { ENGINE_LIMITS } from '../../../src/base/limits.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const { gatherBatchMs: LONG, gatherPauseMs: PAUSE, gatherBatches: BATCHES } = ENGINE_LIMITS

let clock: FakeClock
let gathering: StepGathering
let waiting: number

beforeEach(() => {
  clock = createFakeClock()
  gathering = createStepGathering(clock)
  waiting = 0
})

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** The step of this session is the next batch, which takes so long. */
function step(cache: number, ms: number): void {
  gathering.came(cache)
  gathering.took(milliseconds(ms))
}

/** A pause that has begun; how many times its clock has to strike before it is over, at most `most`. */
async function strikes(most: number, onStrike: () => void = () => undefined): Promise<number> {
  const pause = gathering.pause(() => waiting)
  if (pause === undefined) return 0
  let isOver = false
  void pause.then(() => (isOver = true))
  for (let count = 0; count <= most; count++) {
    await turn()
    if (isOver) return count
    onStrike()
    clock.advance(PAUSE)
  }
  return Number.POSITIVE_INFINITY
}

test('one session never waits', async () => {
  step(1, 100)
  gathering.came(1)
  waiting = 1
  expect(await strikes(0)).toBe(0)
})

test('nor do short batches', async () => {
  step(1, LONG - 1)
  step(2, LONG - 1)
  waiting = 1
  expect(await strikes(0)).toBe(0)
})

test('a pause in which nothing came ends it', async () => {
  step(1, 100)
  step(2, 100)
  gathering.came(1)
  waiting = 1
  expect(await strikes(2)).toBe(1)
})

test('so does the last session that is expected', async () => {
  for (const cache of [1, 2, 3]) step(cache, 100)
  waiting = 1
  expect(await strikes(9, () => waiting++)).toBe(2)
})

test.each([
  [LONG, 1],
  [LONG * 2, 1],
  [LONG * 4, 2],
  [LONG * 20, 10],
])('after a batch of %i ms it lasts %i pauses at most, however many come', async (ms, pauses) => {
  for (let cache = 0; cache < 40; cache++) gathering.came(cache)
  gathering.took(milliseconds(ms))
  expect(await strikes(99, () => waiting++)).toBe(pauses)
})

test('nobody waits for a session that has left, or had no step for long', async () => {
  step(1, 100)
  step(2, 100)
  waiting = 1
  gathering.left(2)
  expect(await strikes(0)).toBe(0)
  step(2, 100)
  for (let batch = 1; batch < BATCHES; batch++) step(1, 100)
  expect(await strikes(1)).toBe(1)
  step(1, 100)
  expect(await strikes(0)).toBe(0)
})
