/** Audits on a state, from the draw to what they do: who gains, who loses, and that grains are kept. */
import { describe, expect, test } from 'vitest'
import type { Hash } from '../../../../src/base/brand.ts'
import { UNAVAILABLE } from '../../../../src/core/market/receipt.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { audits } from '../../../../src/core/state/audits.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getLease } from '../../../../src/core/state/leases.ts'
import { getMiner } from '../../../../src/core/state/miners.ts'
import { getSupply } from '../../../../src/core/state/supply.ts'
import {
  type AuditScene,
  type AuditWorld,
  asked,
  auditWorld,
  coverOf,
  draw,
  type Findings,
  hold,
  honestFinding,
  MINER,
  outDigestOf,
  people,
} from '../../../audit-world.ts'
import { DLLM, type Person } from '../../../chain-accounts.ts'
import { MODEL, PAYERS } from '../../../lease-world.ts'

const LIE = outDigestOf(66)
const OTHER = outDigestOf(67)
const STAKE = DLLM / 10n

/** What an auditor does: finds the truth or something else, keeps silent after its promise, or does nothing at all. */
type Conduct = 'true' | 'silent' | 'idle' | Hash

function findingsOf(who: readonly Person[], conducts: readonly Conduct[], truth: Hash): Findings {
  const findings = new Map<Person, Hash | undefined>()
  for (const [index, one] of who.entries()) {
    const conduct = conducts[index % conducts.length]!
    if (conduct === 'true') findings.set(one, truth)
    else if (conduct !== 'idle') findings.set(one, conduct === 'silent' ? undefined : conduct)
  }
  return findings
}

interface Played {
  readonly world: AuditWorld
  readonly first: readonly Person[]
}

/** Plays an audit of one window: what the members of the first committee do, and those asked later. */
function play(rounds: readonly (readonly Conduct[])[], scene: AuditScene & { opens?: boolean } = {}): Played {
  const world = auditWorld(scene)
  let [open] = draw(world)
  const first = asked(world, open![1])
  const truth = honestFinding(coverOf(world, open![1]))
  const spoken = new Set<Person>()
  for (const conducts of rounds) {
    const [, audit] = open!
    const who = asked(world, audit).filter((one) => !spoken.has(one))
    for (const one of who) spoken.add(one)
    const opens = (scene.opens ?? true) && audit.opening === undefined
    hold(world, open!, { findings: findingsOf(who, conducts, truth), opens })
    expect(stateFaults(world.state)).toEqual([])
    open = [...audits(world.state)][0]
  }
  expect(open).toBeUndefined()
  return { world, first }
}

const depositOf = (world: AuditWorld, { id }: Person): bigint => getMiner(world.state, id)!.deposit
const taskOf = (world: AuditWorld): bigint => getLease(world.state, world.lease)!.lots[0]!.task

describe('a pass', () => {
  test('pays the lot, credits its work and shares the fee', () => {
    const { world, first } = play([['true']])
    const miner = getMiner(world.state, MINER.id)!
    // 100 weighted rows of 12 CU, and what attention adds.
    expect(miner.dailyUnits[0]).toBe(1_201n)
    expect(miner.workValue).toBe((1_201n * 10n * 60n) / 1_000n)
    expect(miner).toMatchObject({ auditedReceipts: 1, locked: 0n, openLots: 0, deposit: DLLM })
    expect(miner.workRate).toBe(1_201n << 16n)
    const fee = (1_201n * 10n * 20n) / 1_000n / 5n
    for (const one of first)
      expect(getMiner(world.state, one.id)).toMatchObject({ workValue: fee, locked: 0n, deposit: DLLM })
    expect(getLease(world.state, world.lease)).toBeUndefined()
    expect(getAccount(world.state, MINER.id).balance).toBeGreaterThan(DLLM)
  })

  test('is the finding of three when two do nothing', () => {
    const { world, first } = play([['true', 'true', 'true', 'idle', 'idle']])
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
    expect(first.map((one) => depositOf(world, one))).toEqual(Array(5).fill(DLLM))
  })

  test('takes the stake of who promised and kept silent', () => {
    const { world, first } = play([['true', 'true', 'true', 'silent', 'idle']])
    expect(first.map((one) => depositOf(world, one))).toEqual([DLLM, DLLM, DLLM, DLLM - STAKE, DLLM])
    expect(getMiner(world.state, first[3]!.id)).toMatchObject({ locked: 0n, workValue: 0n })
  })

  test('of the last round takes the stakes of liars', () => {
    const { world, first } = play([['true', 'true', 'true', 'true', LIE], ['true']])
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
    expect(first.map((one) => depositOf(world, one))).toEqual([DLLM, DLLM, DLLM, DLLM, DLLM - STAKE])
  })
})

describe('a fault', () => {
  test.each<[string, (readonly Conduct[])[]]>([
    ['another finding of all', [[LIE], [LIE]]],
    ['another finding of more than three fifths', [[LIE, LIE, LIE, 'true'], [LIE]]],
    ['data that is not to be had', [[UNAVAILABLE], [UNAVAILABLE]]],
  ])('by %s takes the task, and half of it goes to accusers', (_what, rounds) => {
    const before = auditWorld()
    const task = taskOf(before)
    const burnt = getSupply(before.state).burnt
    const { world } = play(rounds)
    expect(depositOf(world, MINER)).toBe(DLLM - task)
    expect(getMiner(world.state, MINER.id)).toMatchObject({
      auditedReceipts: 0,
      workValue: 0n,
      locked: 0n,
      openLots: 0,
    })
    expect(getMiner(world.state, MINER.id)!.reliability).toBeLessThan(0xffff)
    expect(getSupply(world.state).burnt - burnt).toBeGreaterThanOrEqual(task / 2n)
    // Nothing was charged for the lot.
    expect(getAccount(world.state, PAYERS[0]!.id).balance).toBeGreaterThan(1_000n * DLLM - DLLM / 100n)
  })

  test('by silence of the miner needs no second round', () => {
    const task = taskOf(auditWorld())
    const { world, first } = play([['true', 'silent', 'true', 'true', 'true']], { opens: false })
    expect(depositOf(world, MINER)).toBe(DLLM - task)
    expect(first.map((one) => depositOf(world, one))).toEqual([DLLM, DLLM - STAKE, DLLM, DLLM, DLLM])
  })

  test('leaves a miner below the smallest deposit without new lots', () => {
    const { world } = play([[LIE], [LIE]], { parameters: { minerDepositMin: DLLM } })
    expect(getMiner(world.state, MINER.id)!.status).toBe('slashed-out')
  })

  test('by five liars alone is none: the last round asks the others', () => {
    const { world } = play([[LIE], ['true']], { auditors: people(20) })
    expect(depositOf(world, MINER)).toBe(DLLM)
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
  })
})

describe('nothing is found', () => {
  test.each<[string, (readonly Conduct[])[], AuditScene]>([
    ['when two committees keep still', [['true', 'true', 'idle', 'idle', 'idle'], ['idle']], { auditors: people(20) }],
    ['when nobody else can be asked', [['true', 'true', 'idle', 'idle', 'idle']], { auditors: people(5) }],
    [
      'when the last round is split',
      [
        ['true', LIE, OTHER],
        ['true', LIE, OTHER],
      ],
      { auditors: people(12) },
    ],
  ])('%s', (_what, rounds, scene) => {
    const { world } = play(rounds, scene)
    const miner = getMiner(world.state, MINER.id)!
    expect(miner).toMatchObject({ deposit: DLLM, auditedReceipts: 0, workValue: 0n, locked: 0n })
    for (const one of world.auditors)
      expect(getMiner(world.state, one.id)).toMatchObject({ deposit: DLLM, workValue: 0n })
    // The lot is paid all the same.
    expect(getLease(world.state, world.lease)).toBeUndefined()
    expect(getAccount(world.state, MINER.id).balance).toBeGreaterThan(DLLM)
  })

  test('by another committee that speaks with who spoke before', () => {
    const { world } = play([['true', 'true', 'idle', 'idle', 'idle'], ['true']], { auditors: people(20) })
    expect(getMiner(world.state, MINER.id)!.auditedReceipts).toBe(1)
  })
})

describe('what is told of an audit', () => {
  const audited = ({ events }: AuditWorld) => events.filter((event) => event.type === 'audited')

  test.each<[string, (readonly Conduct[])[], AuditScene & { opens?: boolean }, string, readonly string[]]>([
    ['a pass', [['true']], {}, 'pass', ['right']],
    ['a pass with one that keeps silent', [['true', 'true', 'true', 'true', 'silent']], {}, 'pass', ['right', 'wrong']],
    ['a fault', [[LIE], [LIE]], {}, 'fault', ['right']],
    ['a fault of who did not open', [['true']], { opens: false }, 'fault', ['undecided']],
    ['nothing that is found', [['true', LIE, OTHER, 'true']], { auditors: people(4) }, 'void', ['undecided']],
  ])(
    '%s: result, who spoke and what each gained or lost are what the state shows',
    (_what, rounds, scene, type, verdicts) => {
      const { world } = play(rounds, scene)
      const [event, ...others] = audited(world)
      expect(others).toEqual([])
      expect(event).toMatchObject({
        ...{ lease: world.lease, lot: 0, window: 0, model: MODEL, operator: MINER.id, payout: MINER.id },
        result: { type },
      })
      const result = event!.result
      const miner = getMiner(world.state, MINER.id)!
      expect(miner.deposit).toBe(DLLM - (result.type === 'fault' ? result.slashed : 0n))
      if (result.type === 'pass') {
        expect([miner.dailyUnits[0], miner.workValue]).toEqual([result.units, result.value])
      }
      expect([...new Set(event!.auditors.map(({ verdict }) => verdict))].toSorted()).toEqual(verdicts)
      for (const { operator, payout, verdict, grains } of event!.auditors) {
        const auditor = getMiner(world.state, operator)!
        expect(payout).toBe(auditor.payout)
        expect(auditor.deposit).toBe(DLLM - (verdict === 'wrong' ? grains : 0n))
        expect(auditor.workValue).toBe(verdict === 'right' && type === 'pass' ? grains : 0n)
      }
      const rewards = event!.auditors.reduce(
        (sum, { verdict, grains }) => sum + (verdict === 'right' ? grains : 0n),
        0n,
      )
      if (result.type === 'fault') expect(rewards).toBe(result.rewarded)
    },
  )

  test('an audit whose lease is settled with it comes before the settlement', () => {
    const { world } = play([['true']])
    expect(world.events.map((event) => event.type)).toEqual(['audited', 'settled'])
  })
})

describe('the draw', () => {
  test.each<[string, AuditScene]>([
    ['too few could audit', { auditors: people(2) }],
    ['auditors share an account with the payer', { served: { payout: PAYERS[0]!.id } }],
    ['auditors share an account with the miner', { served: { payout: MINER.id } }],
    ['auditors are one owner', { served: { payout: people(1)[0]!.id } }],
    ['placements do not cover the lot', { served: { placement: { first: 1 } } }],
    ['placements are past', { served: { placement: { until: 6 } } }],
    ['deposits are below the stake', { deposits: Array<bigint>(7).fill(STAKE - 1n) }],
    ['no row was claimed', { rows: 0 }],
  ])('opens nothing when %s', (_why, scene) => {
    const world = auditWorld(scene)
    expect(draw(world)).toEqual([])
    expect(getLease(world.state, world.lease)).toBeUndefined()
  })

  test('audits rows of all windows, whatever receipts cover them', () => {
    const world = auditWorld({ windows: [64, 1, 1, 100, 26] })
    const drawn = draw(world)
    expect(drawn.map(([{ window }]) => window)).toEqual([0, 1, 2])
    for (const [{ window }, { row, standsFor, auditors }] of drawn) {
      expect(Math.floor(row / 256)).toBe(window)
      expect(standsFor).toBe(256)
      expect(auditors).toHaveLength(5)
    }
  })
})
