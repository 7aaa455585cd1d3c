import { beforeEach, expect, test } from 'vitest'
import { createUploadBudget, type UploadBudget } from '../../../../src/app/shards/upload-budget.ts'
import { DEADLINES } from '../../../../src/base/limits.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'

const KIB = 1_024
const RATE = 1_000 * KIB

let clock: FakeClock
let budget: UploadBudget
beforeEach(() => {
  clock = createFakeClock()
  budget = createUploadBudget({ whileServing: RATE }, clock)
})

/** How many of `count` pieces of 10 KiB went out after `ms`. */
async function taken(count: number, ms: number): Promise<number> {
  let done = 0
  for (let piece = 0; piece < count; piece++) void budget.take(10 * KIB).then(() => done++)
  for (let passed = 0; passed < ms; passed += 10) {
    clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return done
}

test('nothing waits while no stage serves', async () => {
  expect(budget.isCapped[0]).toBe(0)
  expect(await taken(10_000, 10)).toBe(10_000)
})

test('the cap holds while a stage serves, and some time after its last step', async () => {
  budget.noteStep()
  expect(budget.isCapped[0]).toBe(1)
  const done = await taken(1_000, 1_000)
  // A second of the rate, and the burst.
  expect(done).toBeGreaterThanOrEqual(99)
  expect(done).toBeLessThanOrEqual(107)
  clock.advance(DEADLINES.servingMs)
  expect(budget.isCapped[0]).toBe(0)
})

test('steps keep the cap up', () => {
  for (let step = 0; step < 10; step++) {
    budget.noteStep()
    clock.advance(DEADLINES.servingMs - 1)
    expect(budget.isCapped[0]).toBe(1)
  }
  clock.advance(DEADLINES.servingMs)
  expect(budget.isCapped[0]).toBe(0)
})

test('a cap of the user holds at any time, and is no excuse for more than the other', async () => {
  budget = createUploadBudget({ whileServing: RATE, always: 2 * RATE }, clock)
  expect(budget.isCapped[0]).toBe(1)
  expect(await taken(1_000, 1_000)).toBeLessThanOrEqual(214)
  budget.noteStep()
  expect(await taken(1_000, 1_000)).toBeLessThanOrEqual(107)
})

test('who waits is served in the order of asking, and who leaves is no hindrance', async () => {
  budget.noteStep()
  const order: string[] = []
  const stop = new AbortController()
  await budget.take(100 * KIB)
  for (const name of ['a', 'b', 'c']) {
    const signal = name === 'b' ? stop.signal : undefined
    budget.take(KIB, signal).then(
      () => order.push(name),
      (error: Error) => order.push(error.message),
    )
  }
  stop.abort(new Error('b left'))
  for (let passed = 0; passed < 50; passed++) {
    clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(order).toEqual(['b left', 'a', 'c'])
  await expect(budget.take(1, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
})

test('a piece larger than the burst goes out, and what comes after it waits for it', async () => {
  budget.noteStep()
  await budget.take(RATE)
  expect(await taken(1, 900)).toBe(0)
  expect(await taken(0, 200)).toBe(0)
})
