import { describe, expect, test } from 'vitest'
import { createEngineTurns } from '../../../../src/app/posts/engine-turns.ts'
import { createFakeClock } from '../../../fake-clock.ts'

/** Engines whose batches take as long as is said, and who had which turn. */
function world() {
  const clock = createFakeClock()
  const turns = createEngineTurns({ clock })
  const order: string[] = []
  let running = 0
  /** An engine that gets so many batches at once. */
  const engine = (name: string, takenMs: number): ((batches: number) => Promise<void>) => {
    const seat = turns.join()
    return async (batches) => {
      await seat.begin()
      for (let batch = 0; batch < batches; batch++) {
        if (batch > 0) await seat.next()
        expect(++running).toBe(1)
        order.push(name)
        await Promise.resolve()
        clock.advance(takenMs)
        running--
      }
      seat.end()
    }
  }
  return { engine, order }
}

describe('engines of one machine', () => {
  test('compute one at a time, in turns', async () => {
    const { engine, order } = world()
    await Promise.all([engine('a', 10)(3), engine('b', 10)(3)])
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
  })

  test('have about the same time, not the same number of turns', async () => {
    const { engine, order } = world()
    const [long, short] = [engine('long', 90), engine('short', 10)]
    await Promise.all([long(3), short(20)])
    const first = order.slice(0, order.lastIndexOf('long'))
    expect(first.filter((name) => name === 'short').length).toBeGreaterThanOrEqual(17)
  })

  test('save nothing up while they are idle', async () => {
    const { engine, order } = world()
    const [busy, idle] = [engine('busy', 10), engine('idle', 10)]
    await busy(100)
    order.length = 0
    await Promise.all([busy(6), idle(6)])
    expect(order.slice(0, 8)).toEqual(['busy', 'idle', 'busy', 'idle', 'busy', 'idle', 'busy', 'idle'])
  })
})
