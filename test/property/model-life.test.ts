/**
 * Whatever publishers, voters and miners do with versions of models in whatever order: grains are kept, the state stays sound after every call
 * and every block, deposits stand behind what is registered, and what is refused changes nothing.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Hash, hash } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import { type ModelStatus, models } from '../../src/core/state/models.ts'
import { DLLM } from '../chain-accounts.ts'
import {
  CANARY,
  cleo,
  dan,
  endBlocks,
  type LifeWorld,
  leasing,
  lifeWorld,
  MINERS,
  placing,
  proposing,
  publishing,
  reporting,
  retiring,
  run,
  V1,
  vote,
} from '../life-world.ts'

const VERSIONS = ['b2', 'c3', 'd4'].map((byte) => hash(byte.repeat(32)))
const PUBLISHERS = [cleo, dan]
const VOTABLE: readonly ModelStatus[] = ['published', 'superseded']

interface Step {
  readonly does: keyof typeof ACTS
  /** Which model, miner or publisher, and how many blocks. */
  readonly which: number
  readonly isSo: boolean
}

/** The models of these statuses, any if there are none. */
function pick({ state }: LifeWorld, statuses: readonly ModelStatus[], which: number): Hash {
  const all = [...models(state)]
  const fitting = all.filter(([, { status }]) => statuses.includes(status))
  const [model] = (fitting.length > 0 ? fitting : all).at(which % Math.max(fitting.length, 1)) ?? [V1]
  return model
}

const ACTS = {
  publish(world: LifeWorld, { which, isSo }: Step): void {
    const change = { predecessor: pick(world, ['active'], which), canary: isSo ? CANARY : undefined }
    run(world, PUBLISHERS[which % 2]!, publishing(VERSIONS[which % VERSIONS.length]!, change))
  },
  campaign(world: LifeWorld, { which, isSo }: Step): void {
    run(
      world,
      PUBLISHERS[which % 2]!,
      proposing(pick(world, VOTABLE, which), isSo ? 0 : world.context.height + 15 + which),
    )
    vote(world, which < 13)
  },
  serve(world: LifeWorld, { which }: Step): void {
    const model = pick(world, ['approved'], which)
    for (const one of MINERS.slice(which % 3)) run(world, one, placing(model, { until: world.context.height + 200 }))
    for (const one of MINERS.slice(which % 3)) run(world, one, reporting(model, true))
  },
  report(world: LifeWorld, { which, isSo }: Step): void {
    run(world, MINERS[which % MINERS.length]!, reporting(pick(world, ['approved'], which), isSo))
  },
  retire(world: LifeWorld, { which, isSo }: Step): void {
    run(world, PUBLISHERS[which % 2]!, retiring(pick(world, isSo ? ['active'] : VOTABLE, which)))
  },
  lease(world: LifeWorld, { which }: Step): void {
    run(world, dan, leasing(pick(world, ['active'], which), world.context.height + 10 + which))
  },
  leave(world: LifeWorld, { which }: Step): void {
    run(world, MINERS[which % MINERS.length]!, { type: 11, body: { amount: 2n * DLLM } })
  },
  wait(world: LifeWorld, { which }: Step): void {
    endBlocks(world, 3 + which)
  },
} as const

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(
    ...(['publish', 'publish', 'campaign', 'campaign', 'serve', 'serve', 'serve', 'report', 'wait', 'wait'] as const),
    ...(['wait', 'retire', 'lease', 'leave'] as const),
  ),
  which: fc.nat({ max: 14 }),
  isSo: fc.boolean(),
})

test('grains are kept, the state stays sound, and deposits stand behind what is registered', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (story) => {
      const world = lifeWorld({ rollbackBlocks: 20n, activationNotice: 3n })
      for (const taken of story) {
        try {
          ACTS[taken.does](world, taken)
        } catch (error) {
          const code = codeOf(error)
          if (code === undefined) throw error
          seen.add(code)
        }
        for (const [, { status, deposit }] of models(world.state)) {
          expect(deposit).toBe(status === 'retired' ? 0n : 10n * DLLM)
        }
      }
      endBlocks(world, 25)
      for (const event of world.events) seen.add(event.change)
    }),
    { numRuns: 12, seed: 7, endOnFailure: true },
  )
  // The stories reach what they are about.
  const reached = ['approved', 'postponed', 'activated', 'superseded', 'retired', 'given-up']
  expect(reached.filter((name) => !seen.has(name))).toEqual([])
  expect([...seen].filter((name) => /^[A-Z_]+$/.test(name)).length).toBeGreaterThan(10)
})
