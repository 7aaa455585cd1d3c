import { describe, expect, test } from 'vitest'
import { comesBefore, lookStep, placementDraw } from '../../../../src/core/market/placement-draw.ts'

/** From the first six bytes of the tagged hash, by hand. */
const DRAWN = 93_428_206_652_932
const NAMES = Array.from({ length: 1_000 }, (_, index) => `dllm1operator${index}`)

describe('the draw of a machine', () => {
  test('is the same for everybody who computes it', () => {
    expect(placementDraw('dllm1operator', 7)).toBe(DRAWN)
    expect(lookStep('dllm1operator', { epoch: 7, length: 60 })).toBe(DRAWN % 60)
  })

  test('spreads the looks of a swarm evenly over an epoch', () => {
    const counts = Array.from({ length: 10 }, () => 0)
    for (const name of NAMES) counts[lookStep(name, { epoch: 3, length: 10 })]! += 1
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(40)
  })

  test('is another one in the next epoch, so that nobody is last for ever', () => {
    const same = NAMES.filter(
      (name) => lookStep(name, { epoch: 3, length: 10 }) === lookStep(name, { epoch: 4, length: 10 }),
    )
    expect(Math.abs(same.length - 100)).toBeLessThan(40)
  })

  test('puts announcements in one order for all', () => {
    const [first, second] = comesBefore('a', 'b', 1) ? ['a', 'b'] : ['b', 'a']
    expect(comesBefore(first, second, 1)).toBe(true)
    expect(comesBefore(second, first, 1)).toBe(false)
    expect(comesBefore(first, first, 1)).toBe(false)
  })
})
