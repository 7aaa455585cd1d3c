import { expect, test } from 'vitest'
import { createByteCap } from '../../../../src/app/swarm/byte-cap.ts'
import { createRateMeter } from '../../../../src/app/swarm/pull-progress.ts'
import { milliseconds as at } from '../../../../src/base/brand.ts'

test('no more comes than the bound allows, over any time, but for one piece and a quarter of a second', () => {
  const cap = createByteCap(1_000, at(0))
  let spent = 0
  for (let nowMs = 0; nowMs <= 60_000; nowMs += 7) {
    // A pause in the middle: what was not used then is not made up for.
    if (nowMs > 20_000 && nowMs < 40_000) continue
    while (cap.isOpen(at(nowMs))) {
      cap.spend(400)
      spent += 400
    }
    const openSeconds = (nowMs < 40_000 ? nowMs : nowMs - 20_000) / 1_000
    expect(spent).toBeLessThanOrEqual(1_000 * openSeconds + 400 + 250)
  }
  expect(spent).toBeGreaterThan(39_000)
})

test('it tells when something may come again', () => {
  const cap = createByteCap(1_000, at(0))
  cap.spend(500)
  expect(cap.isOpen(at(0))).toBe(false)
  expect(cap.waitMs(at(0))).toBe(500)
  expect(cap.isOpen(at(499))).toBe(false)
  expect(cap.isOpen(at(500))).toBe(true)
})

test('without a bound everything may come at once', () => {
  const cap = createByteCap(undefined, at(0))
  cap.spend(1e12)
  expect([cap.isOpen(at(0)), cap.waitMs(at(0))]).toEqual([true, 0])
})

test('the rate is that of the last seconds', () => {
  const meter = createRateMeter()
  expect(meter.bytesPerSecond()).toBe(0)
  for (let second = 0; second <= 10; second++) meter.note(second * 100, at(second * 1_000))
  expect(meter.bytesPerSecond()).toBe(100)
  for (let second = 11; second <= 20; second++) meter.note(1_000, at(second * 1_000))
  expect(meter.bytesPerSecond()).toBe(0)
})
