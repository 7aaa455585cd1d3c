import { describe, expect, test } from 'vitest'
import type { Schedule } from './schedule-checks.ts'
import { runSchedule } from './schedule-world.ts'

type Setting = Omit<Schedule, 'seed'>

const CALM = { calmMs: 30_000, heights: 3 }
const SETTINGS: readonly (readonly [string, Setting])[] = [
  ['four equal validators, one of which may lose its journal', { ...CALM, stakes: [1n, 1n, 1n, 1n], forgetful: [0] }],
  ['four equal validators, one of them twinned', { ...CALM, stakes: [1n, 1n, 1n, 1n], twinned: 3, forgetful: [] }],
  ['four unequal validators, the twin forgets', { ...CALM, stakes: [30n, 25n, 25n, 20n], twinned: 1, forgetful: [1] }],
  [
    'seven validators, a twin and two that forget',
    { ...CALM, stakes: [5n, 4n, 3n, 2n, 2n, 1n, 1n], twinned: 1, forgetful: [5, 6] },
  ],
]
const SEEDS = 40

describe('random schedules with crashes', () => {
  test.each(SETTINGS)('agree, never sign twice and decide in the end: %s', (_name, setting) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { fault } = runSchedule({ ...setting, seed })
      expect(fault, `seed ${seed}`).toBeUndefined()
    }
  })

  // As long as half a round: some come when their round is over, or their height.
  test.each(SETTINGS)('the same with blocks that take long to be made and looked at: %s', (_name, setting) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { fault } = runSchedule({ ...setting, workMsMax: 2_500, seed })
      expect(fault, `seed ${seed}`).toBeUndefined()
    }
  })

  // With every journal gone a chain may halt, but even then nobody signs twice and no two blocks are final.
  test('stay safe when every validator may lose its journal at every crash', () => {
    const forgetful = [0, 1, 2, 3]
    for (let seed = 0; seed < SEEDS; seed++) {
      const { fault } = runSchedule({ ...SETTINGS[0]![1], forgetful, seed })
      expect([undefined, 'somebody does not decide in a calm network'], `seed ${seed}`).toContain(fault)
    }
  })

  test('are the same on every run', () => {
    const run = () => runSchedule({ ...SETTINGS[3]![1], seed: 7 })
    expect(run()).toEqual(run())
  })
})
