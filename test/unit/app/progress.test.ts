import { expect, test } from 'vitest'
import { createProgress, progressLine } from '../../../src/app/progress.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import type { Clock } from '../../../src/base/ports.ts'

const MIB = 1024 * 1024

test.each([
  ['the start', 0, 0, 'Converting ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 B of 100 MiB  0 B/s'],
  ['the middle', 50, 2_000, 'Converting ████████████░░░░░░░░░░░░  50 %  50.0 MiB of 100 MiB  25.0 MiB/s  2 s left'],
  ['a slow source', 2, 60_000, '  2 %  2.0 MiB of 100 MiB  34.1 KiB/s  49 min left'],
  ['the end', 100, 4_000, 'Converting ████████████████████████ 100 %  100 MiB of 100 MiB  25.0 MiB/s  0 s left'],
])('a line shows %s', (_case, done, elapsed, expected) => {
  const state = { doneBytes: done * MIB, totalBytes: 100 * MIB, elapsedMs: milliseconds(elapsed) }
  expect(progressLine('Converting', state)).toContain(expected)
})

test('a line shows the rate of now and a remark where it is told', () => {
  const state = { doneBytes: 50 * MIB, totalBytes: 100 * MIB, elapsedMs: milliseconds(2_000) }
  const facts = { keptBytes: 10 * MIB, bytesPerSecond: 5 * MIB, remark: '3 peers' }
  expect(progressLine('x', { ...state, ...facts })).toMatch(/ {2}5\.0 MiB\/s {2}10 s left {2}3 peers$/)
})

/** A clock that stands still between the readings a test sets. */
function stillClock(): { clock: Clock; set(ms: number): void } {
  let nowMs = 0
  const unused = (): never => {
    throw new Error('progress does not wait')
  }
  const clock: Clock = {
    now: () => milliseconds(nowMs),
    wallMs: unused,
    sleep: unused,
    schedule: unused,
  }
  return {
    clock,
    set: (ms) => {
      nowMs = ms
    },
  }
}

test('lines are redrawn at most ten times a second, and at the end', () => {
  const written: string[] = []
  const { clock, set } = stillClock()
  const progress = createProgress('x', { isTTY: true, write: (text) => written.push(text) }, { clock })
  for (const [ms, done] of [
    [10, 1],
    [50, 2],
    [120, 3],
    [130, 4],
    [140, 10],
  ] as const) {
    set(ms)
    progress.update(done, 10)
  }
  progress.end()
  expect(written.map((text) => /\d+ %/.exec(text)?.[0])).toEqual(['10 %', '30 %', '100 %', undefined])
})

test('nothing is drawn where there is no terminal', () => {
  const written: string[] = []
  const progress = createProgress('x', { write: (text) => written.push(text) }, stillClock())
  progress.update(1, 10)
  progress.end()
  expect(written).toEqual([])
})
