import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONTRACTS } from '../../src/core/transaction/contracts.ts'
import { killMachine, type Storage } from './machine.ts'
import { hex, type Scenario } from './scenario.ts'
import { runWorld, type WorldOutcome } from './world.ts'

/** `npm run soak` goes on where these end. */
const SEEDS = 30
const SEEDS_PER_TEST = 5
const CHAOS_MS = 6_000

const firsts = Array.from({ length: SEEDS / SEEDS_PER_TEST }, (_, index) => 1 + index * SEEDS_PER_TEST)

/** What happened in the markets of the worlds below. */
const happened = new Map<string, number>()

describe('every invariant holds', () => {
  test.each(firsts)('for five seeds from %i on', async (first) => {
    for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
      const { failure, market } = await runWorld(seed, { chaosMs: CHAOS_MS })
      const replay = `seed=${seed} replay: node scripts/soak.ts --seed ${seed} --chaos ${CHAOS_MS / 1_000}`
      expect(failure, replay).toBeUndefined()
      remember(market)
    }
  })

  // Each once failed. A seed means something else whenever the simulator changes, so every cause has a test of its own as well:
  // consensus-driver.test.ts (1, 179), vote-keeper.test.ts (15), relay.test.ts (601).
  test.each([1, 15, 179, 601])('for seed %i', async (seed) => {
    const { failure, market } = await runWorld(seed)
    expect(failure).toBeUndefined()
    remember(market)
  })

  test('in markets where miners come and go, every contract is called, leases are paid, and audits pass or do not', () => {
    const contracts = CONTRACTS.filter(({ type }) => type >= 8).map(({ name }) => name)
    const ends = ['settled: paid', 'audit: pass', 'issued']
    const names = [...happened.keys()]
    const lives = ['approved', 'activated', 'superseded', 'postponed'].map((change) => `model: ${change}`)
    expect(names).toEqual(expect.arrayContaining([...contracts, ...ends, ...lives]))
    expect(names.some((name) => /^audit: (fault|void)/.test(name))).toBe(true)
  })
})

function remember({ happened: counts }: WorldOutcome['market']): void {
  for (const [name, count] of counts) happened.set(name, (happened.get(name) ?? 0) + count)
}

describe('a seed', () => {
  test('gives the same trace each time, in other processes too', async () => {
    const [first, second] = [await runWorld(7, { chaosMs: 3_000 }), await runWorld(7, { chaosMs: 3_000 })]
    expect(second.digest).toBe(first.digest)
    const parameters = ['scripts/soak.ts', '--seed', '7', '--chaos', '3', '--quiet']
    const told = execFileSync(process.execPath, parameters, {
      cwd: join(import.meta.dirname, '../..'),
      encoding: 'utf8',
    })
    expect(told).toContain(first.digest.slice(0, 16))
  })

  test('gives another trace than the next one', async () => {
    const [first, second] = [await runWorld(7, { chaosMs: 2_000 }), await runWorld(8, { chaosMs: 2_000 })]
    expect(second.digest).not.toBe(first.digest)
  })
})

describe('the witness objects', () => {
  test('to two final blocks at one height, which validators with two faces and a parted network make', async () => {
    const { failure } = await runWorld(1, {
      scenario: everybodyTwice,
      begin: ({ network, machines }) => {
        const [ones, others] = [machines.filter(isOriginal), machines.filter((machine) => !isOriginal(machine))]
        network.partition([ones, others].map((group) => group.map(({ plan }) => plan.peer)))
      },
    })
    expect(failure?.invariant).toBe('agreement')
  })

  test('to a vote that leaves before the sign state is on the disk', async () => {
    const { failure } = await runWorld(1, { spoil: withoutSignState })
    expect(failure?.invariant).toBe('no honest double sign')
  })

  test('to a store that says too early that a block is on the disk', async () => {
    const { failure } = await runWorld(1, {
      spoil: unsynced,
      begin: (world) => {
        for (const machine of world.machines) {
          world.timeline.schedule(3_000, () => killMachine(machine, world, { kind: 'power', downMs: 100 }))
        }
      },
    })
    expect(failure?.invariant).toBe('nothing final is lost')
  })

  test('to a chain that stands still', async () => {
    const { failure } = await runWorld(1, { chaosMs: 1_000, spoil: stuck })
    expect(failure?.invariant).toBe('liveness')
  })
})

function everybodyTwice(scenario: Scenario): Scenario {
  const originals = scenario.machines.filter(({ name }) => name.startsWith('v'))
  const doubles = originals.map((plan, index) => ({
    ...{ ...plan, isTwin: true },
    ...{ name: `x${index + 1}`, peer: `${plan.peer}-x` as typeof plan.peer, storageSeed: plan.storageSeed + 500 },
  }))
  const twinKeys = new Set(originals.map(({ keys }) => hex(keys!.consensus.publicKey)))
  return { ...scenario, machines: [...originals.map((plan) => ({ ...plan, isTwin: true })), ...doubles], twinKeys }
}

function isOriginal({ plan }: { readonly plan: { readonly name: string } }): boolean {
  return plan.name.startsWith('v')
}

function withoutSignState({ disk, store }: Storage): Storage {
  const replace: typeof disk.replace = async (name, bytes) => {
    if (name !== 'sign-state') await disk.replace(name, bytes)
  }
  return { disk: { ...disk, replace }, store }
}

function unsynced({ disk, store }: Storage): Storage {
  return { disk, store: { ...store, batch: (operations) => store.batch(operations, { sync: false }) } }
}

/** Nothing is ever written. */
function stuck({ disk, store }: Storage): Storage {
  return { disk: { ...disk, append: () => new Promise(() => undefined) }, store }
}
