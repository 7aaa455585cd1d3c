/** Any conduct of miner and auditors: grains are kept, stakes are free again, nobody loses more than its own, and the lease is settled. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Hash } from '../../src/base/brand.ts'
import { UNAVAILABLE } from '../../src/core/market/receipt.ts'
import { audits } from '../../src/core/state/audits.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { getLease } from '../../src/core/state/leases.ts'
import { getMiner } from '../../src/core/state/miners.ts'
import {
  type AuditWorld,
  asked,
  auditWorld,
  coverOf,
  draw,
  hold,
  honestFinding,
  MINER,
  outDigestOf,
  people,
} from '../audit-world.ts'
import { DLLM, type Person } from '../chain-accounts.ts'
import { endBlocks } from '../lease-world.ts'

const CONDUCTS = ['true', 'true', 'true', 'lie', 'other', 'unavailable', 'silent', 'idle'] as const
type Conduct = (typeof CONDUCTS)[number]

const scene = fc.record({
  count: fc.integer({ min: 3, max: 9 }),
  deposits: fc.array(fc.bigInt({ min: DLLM / 10n, max: 2n * DLLM }), { minLength: 9, maxLength: 9 }),
  windows: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 3 }),
  conducts: fc.array(fc.constantFrom<Conduct>(...CONDUCTS), { minLength: 16, maxLength: 16 }),
  opens: fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
})

test('audits of any conduct end, and keep what must be kept', () => {
  fc.assert(
    fc.property(scene, ({ count, deposits, windows, conducts, opens }) => {
      const world = auditWorld({ auditors: people(count), deposits, windows })
      const task = getLease(world.state, world.lease)?.lots[0]?.task
      draw(world)
      const spoken = new Map<string, Set<Person>>()
      let turn = 0
      for (let audit = 0; audit < 40; audit++) {
        const [next] = audits(world.state)
        if (next === undefined) break
        const name = JSON.stringify(next[0])
        const before = spoken.get(name) ?? new Set()
        const who = asked(world, next[1]).filter((one) => !before.has(one))
        const truth = honestFinding(coverOf(world, next[1]))
        const findings = new Map<Person, Hash | undefined>()
        for (const one of who) {
          before.add(one)
          const conduct = conducts[turn++ % conducts.length]!
          const isPoor = getMiner(world.state, one.id)!.deposit - getMiner(world.state, one.id)!.locked < next[1].stake
          if (conduct !== 'idle' && !isPoor) findings.set(one, findingOf(conduct, truth))
        }
        spoken.set(name, before)
        if (next[1].commitHeight < world.context.height) break
        hold(world, next, { findings, opens: opens[audit % opens.length]! && next[1].opening === undefined })
        expect(stateFaults(world.state)).toEqual([])
      }
      // Three rounds of what nobody says anything in.
      endBlocks(world, 20)
      expect(stateFaults(world.state)).toEqual([])
      expect([...audits(world.state)]).toEqual([])
      expect(getLease(world.state, world.lease)).toBeUndefined()
      for (const { id } of [MINER, ...world.auditors]) expect(getMiner(world.state, id)).toMatchObject({ locked: 0n })
      const lost = DLLM - getMiner(world.state, MINER.id)!.deposit
      expect([0n, task]).toContain(lost)
      expect(told(world)).toEqual(shown(world, deposits))
    }),
    { numRuns: 25 },
  )
})

/** By operator: grains of its deposit that were lost and work value that was got, as the events say. */
function told({ events, auditors }: AuditWorld): Map<string, readonly [lost: bigint, value: bigint]> {
  const sums = new Map([MINER, ...auditors].map(({ id }) => [String(id), [0n, 0n] as readonly [bigint, bigint]]))
  const add = (id: string, lost: bigint, value: bigint) => {
    const [before, had] = sums.get(id)!
    sums.set(id, [before + lost, had + value])
  }
  for (const event of events) {
    if (event.type !== 'audited') continue
    const { operator, result, auditors: heard } = event
    // A fault takes what passes before it had brought.
    if (result.type === 'fault') sums.set(operator, [sums.get(operator)![0] + result.slashed, 0n])
    else if (result.type === 'pass') add(operator, 0n, result.value)
    for (const { operator: auditor, verdict, grains } of heard) {
      if (verdict === 'wrong') add(auditor, grains, 0n)
      else if (result.type === 'pass') add(auditor, 0n, grains)
    }
  }
  return sums
}

/** The same as the state shows it. */
function shown(world: AuditWorld, deposits: readonly bigint[]): Map<string, readonly [lost: bigint, value: bigint]> {
  return new Map(
    [MINER, ...world.auditors].map(({ id }, index) => {
      const { deposit, workValue } = getMiner(world.state, id)!
      return [String(id), [(index === 0 ? DLLM : deposits[index - 1]!) - deposit, workValue] as const]
    }),
  )
}

function findingOf(conduct: Conduct, truth: Hash): Hash | undefined {
  if (conduct === 'true') return truth
  if (conduct === 'unavailable') return UNAVAILABLE
  return conduct === 'silent' ? undefined : outDigestOf(conduct === 'lie' ? 66 : 67)
}
