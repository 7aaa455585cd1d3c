import { describe, expect, test } from 'vitest'
import { runWorld } from './world.ts'

describe('the simulator', () => {
  test('gives the same trace for the same seed', async () => {
    const [first, second] = [await runWorld(7, { chaosMs: 3_000 }), await runWorld(7, { chaosMs: 3_000 })]
    expect(second.digest).toBe(first.digest)
    expect(first.failure).toBeUndefined()
  })
})
