import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRecallPace } from '../../../../src/app/ring/recall-pace.ts'
import { milliseconds } from '../../../../src/base/brand.ts'
import { createFakeClock } from '../../../fake-clock.ts'

const BOUNDS = { unpaidBytesPerSecond: 1_000, unpaidBytesAtOnce: 500 }
const LONG = milliseconds(1e9)
const { signal } = new AbortController()

test('in any time there goes out what may go at once, and what the pace allows', async () => {
  const ask = fc.record({ bytes: fc.nat(400), withinMs: fc.constantFrom(0, 50, 1e9), pauseMs: fc.nat(600) })
  await fc.assert(
    fc.asyncProperty(fc.array(ask, { maxLength: 30 }), async (asks) => {
      const clock = createFakeClock()
      const pace = createRecallPace(BOUNDS, { clock })
      const passed: { atMs: number; bytes: number }[] = []
      let answers = 0
      const live = async (ms: number): Promise<void> => {
        for (let step = 0; step < ms; step++) {
          clock.advance(1)
          for (let more = 0; more < 5; more++) await Promise.resolve()
        }
      }
      for (const { bytes, withinMs, pauseMs } of asks) {
        const fromMs = clock.now()
        void pace.take(bytes, milliseconds(withinMs), signal).then((isTaken) => {
          answers++
          if (!isTaken) return
          passed.push({ atMs: clock.now(), bytes })
          // A clock of whole milliseconds is late by less than one.
          expect(clock.now() - fromMs).toBeLessThanOrEqual(withinMs + 1)
        })
        await live(pauseMs)
      }
      while (answers < asks.length) await live(1)
      for (const [index, { atMs }] of passed.entries()) {
        let bytes = 0
        for (const later of passed.slice(index)) {
          bytes += later.bytes
          expect(bytes).toBeLessThanOrEqual(500 + (later.atMs - atMs) + 1)
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('who would wait for too long is told at once, and costs the others nothing', async () => {
  const clock = createFakeClock()
  const pace = createRecallPace(BOUNDS, { clock })
  expect(await pace.take(500, milliseconds(0), signal)).toBe(true)
  expect(await pace.take(100, milliseconds(99), signal)).toBe(false)
  const waiting = pace.take(100, milliseconds(100), signal)
  clock.advance(100)
  expect(await waiting).toBe(true)
})

test('who waits can be let go', async () => {
  const pace = createRecallPace(BOUNDS, { clock: createFakeClock() })
  const over = new AbortController()
  const waiting = pace.take(900, LONG, over.signal)
  over.abort(new Error('over'))
  await expect(waiting).rejects.toThrow('over')
})
