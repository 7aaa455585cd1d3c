import { describe, expect, test } from 'vitest'
import { AT_ONCE, createTurns } from '../../../src/app/turns.ts'
import type { Steps } from '../../../src/base/steps.ts'
import { createFakeClock, until } from '../../fake-clock.ts'

function* count(done: number[], steps: number, each: () => void = () => undefined): Steps<string> {
  for (let step = 1; step <= steps; step++) {
    each()
    done.push(step)
    if (step < steps) yield
  }
  return 'done'
}

describe('work in turns', () => {
  test('gives way when a turn has taken its time', async () => {
    const clock = createFakeClock()
    const done: number[] = []
    const result = createTurns(clock).run(count(done, 5, () => clock.advance(3)))
    expect(done).toEqual([1, 2])
    clock.advance(1)
    await until(() => done.length === 4, 'the second turn')
    clock.advance(1)
    expect(await result).toBe('done')
  })

  test('takes as long as others did between two turns, within bounds', async () => {
    const clock = createFakeClock()
    const done: number[] = []
    const result = createTurns(clock).run(count(done, 56, () => clock.advance(1)))
    expect(done).toHaveLength(5)
    clock.advance(12)
    await until(() => done.length === 17, 'a turn of 12 ms')
    clock.advance(500)
    await until(() => done.length === 47, 'a turn of 30 ms')
    clock.advance(1)
    await until(() => done.length === 52, 'a turn of 5 ms')
    clock.advance(1)
    expect(await result).toBe('done')
  })

  test('shares a turn with other work', async () => {
    const clock = createFakeClock()
    const done: number[][] = [[], []]
    const turns = createTurns(clock)
    const results = done.map((list) => turns.run(count(list, 6, () => clock.advance(1))))
    // The first had a turn for itself before the second came.
    expect(done.map((list) => list.length)).toEqual([5, 3])
    clock.advance(1)
    await until(() => done[1]!.length === 6, 'the second turn')
    clock.advance(1)
    expect(await Promise.all(results)).toEqual(['done', 'done'])
  })

  test('is done in one turn when no time passes', async () => {
    const done: number[] = []
    await createTurns(createFakeClock()).run(count(done, 1_000))
    expect(done).toHaveLength(1_000)
  })

  test('gives way after so many steps when told to, whatever the time', async () => {
    const clock = createFakeClock()
    const done: number[] = []
    const result = createTurns(clock, 2).run(count(done, 4))
    expect(done).toEqual([1, 2])
    clock.advance(1)
    expect(await result).toBe('done')
  })

  test.each([
    ['in turns', () => createTurns(createFakeClock())],
    ['at once', () => AT_ONCE],
  ])('that fails is a rejection: %s', async (_how, make) => {
    const failing = (function* (): Steps {
      yield
      throw new Error('no')
    })()
    await expect(make().run(failing)).rejects.toThrow('no')
  })
})
