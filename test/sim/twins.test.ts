import { describe, expect, test } from 'vitest'
import { runScenario, runTwins } from './twins.ts'
import { countOf, FAMILIES, scenarioOf, TOO_MANY, walk } from './twins-scenario.ts'

/** Some seconds on one core. A failure prints ids for `scenarioOf`. */
const SCENARIOS = 1_500

describe('Twins', () => {
  test.each(FAMILIES.map((family) => [family.name, family] as const))(
    'with less than a third of the stake break neither agreement nor liveness: %s',
    (_name, family) => {
      const { faults, withEvidence, byRound } = runTwins(family, { from: 0, count: SCENARIOS })
      expect(faults).toEqual([])
      // The scenarios are worth something only if twins contradict each other and rounds fail.
      expect(withEvidence).toBeGreaterThan(SCENARIOS / 4)
      expect(byRound.slice(1).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(SCENARIOS / 4)
    },
  )

  test('with half of the stake do break agreement, and the checker sees it', () => {
    const { faults } = runTwins(TOO_MANY, { from: 0, count: 500 })
    expect(faults.map(({ fault }) => fault)).toContain('disagreement')
  })

  // Each was a fault once, of the replica or of a rule left out.
  test.each([
    ['partitions that never end by themselves', 'equal#550327196'],
    ['a proof of lock that an equivocator hides from one voter', 'equal#692896591'],
    ['a valid block that its proposer must not forget', 'two#4022781'],
  ])('pass: %s', (_what, id) => {
    expect(runScenario(scenarioOf(id)).fault).toBeUndefined()
  })

  test('are the same on every run', () => {
    const first = FAMILIES.map((family) => runTwins(family, { from: 40, count: 20 }))
    expect(FAMILIES.map((family) => runTwins(family, { from: 40, count: 20 }))).toEqual(first)
  })

  test('are walked through without repetition', () => {
    const numbers = new Set(Array.from({ length: 5_000 }, (_, place) => walk(TOO_MANY, place)))
    expect(numbers.size).toBe(5_000)
    expect(Math.log2(countOf(TOO_MANY)) % 1).toBe(0)
  })
})
