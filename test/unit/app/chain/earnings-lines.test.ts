/** What records of the market mean for some miners: lines, sums by time and name, histories, and CSV. */
import { describe, expect, test } from 'vitest'
import { earningsCsv } from '../../../../src/app/chain/earnings-csv.ts'
import { type EarningsLine, linesOf } from '../../../../src/app/chain/earnings-lines.ts'
import { historyOf, sumOf, sumsBy, sumsOfDays } from '../../../../src/app/chain/earnings-sums.ts'
import { viewRecord } from '../../../../src/app/chain/earnings-views.ts'
import type { AccountId } from '../../../../src/base/brand.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import type { PayEvent } from '../../../../src/core/market/events.ts'
import {
  AUDITOR,
  audited,
  digest,
  issued,
  MINER,
  MODEL,
  OTHER,
  PAYER,
  PAYOUT,
  settled,
} from '../../../market-samples.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** A day at half past six in the morning. */
const NOW = 20_000 * DAY + 6.5 * HOUR
const address = (id: AccountId): string => addressOfAccount(id, 'local')

function lines(event: PayEvent, ...accounts: AccountId[]): EarningsLine[] {
  const record = viewRecord({ height: 7, position: 2, timeMs: NOW, event }, 'local')
  return linesOf([record], new Set(accounts.map(address)))
}

describe('lines of', () => {
  const fault = { type: 'fault', reason: 'digest', slashed: 90n, rewarded: 45n } as const
  const heard = (verdict: 'right' | 'wrong' | 'undecided', grains: bigint) => ({
    auditors: [{ operator: AUDITOR, payout: AUDITOR, verdict, grains }],
  })
  test.each<[string, PayEvent, AccountId, object[]]>([
    ['a paid lot', settled(1), MINER, [{ type: 'settled', result: 'claimed', lot: 0, units: '40', grains: '400' }]],
    ['a lot that nobody claimed', settled(1), OTHER, [{ type: 'settled', result: 'unclaimed', lot: 1, grains: '0' }]],
    ['a lot, by where its pay went', settled(1), PAYOUT, [{ type: 'settled', miner: address(MINER), grains: '400' }]],
    ['who paid', settled(1), PAYER, []],
    ['a pass', audited(1), MINER, [{ type: 'audit', result: 'pass', units: '64', value: '38', grains: '0' }]],
    ['a fault', audited(1, { result: fault }), MINER, [{ type: 'slashed', result: 'digest', grains: '-90' }]],
    [
      'an audit without a finding',
      audited(1, { result: { type: 'void', reason: 'too-few' } }),
      MINER,
      [{ type: 'audit', result: 'void', grains: '0' }],
    ],
    ['who audited what passed', audited(1), AUDITOR, [{ type: 'auditor', result: 'right', value: '7', grains: '0' }]],
    [
      'who found a fault',
      audited(1, { result: fault, ...heard('right', 45n) }),
      AUDITOR,
      [{ type: 'auditor', result: 'right', grains: '45' }],
    ],
    [
      'who found something else',
      audited(1, heard('wrong', 100n)),
      AUDITOR,
      [{ type: 'slashed', result: 'auditor', grains: '-100' }],
    ],
    [
      'who spoke where nothing was found',
      audited(1, { result: { type: 'void', reason: 'no-majority' }, ...heard('undecided', 0n) }),
      AUDITOR,
      [{ type: 'auditor', result: 'undecided', grains: '0' }],
    ],
    ['an epoch', issued(3), MINER, [{ type: 'work', result: 'epoch 3', value: '38', grains: '19' }]],
  ])('%s', (_what, event, who, expected) => {
    const found = lines(event, who)
    expect(found).toHaveLength(expected.length)
    for (const [index, line] of expected.entries()) {
      expect(found[index]).toMatchObject({ height: 7, timeMs: NOW, ...line })
    }
  })

  test('two lots of one owner are two lines, and an owner that is asked for twice has each once', () => {
    const [first, second] = settled(1).lots as [ReturnType<typeof settled>['lots'][number], never]
    const event = settled(1, { lots: [first, { ...(second as typeof first), payout: PAYOUT }] })
    expect(lines(event, PAYOUT, MINER).map(({ lot }) => lot)).toEqual([0, 1])
  })
})

describe('sums', () => {
  const at = (timeMs: number, event: PayEvent, who = MINER): EarningsLine => ({ ...lines(event, who)[0]!, timeMs })
  const all = [
    at(NOW, settled(1)),
    at(NOW - 7 * HOUR, settled(2)),
    at(NOW - 6 * DAY, issued(1)),
    at(NOW - 8 * DAY, audited(3, { result: { type: 'fault', reason: 'unopened', slashed: 90n, rewarded: 0n } })),
    at(NOW - 8 * DAY, audited(4)),
    at(NOW - 8 * DAY, settled(5), OTHER),
  ]

  test('tell what came, what was lost, paid work and audits', () => {
    expect(sumOf(all)).toEqual({ earned: '819', lost: '90', lots: 2, units: '80', auditsPassed: 1, auditsFailed: 1 })
    expect(sumOf([])).toEqual({ earned: '0', lost: '0', lots: 0, units: '0', auditsPassed: 0, auditsFailed: 0 })
  })

  test('of today begin at midnight in UTC, those of the week six days earlier', () => {
    const { today, week } = sumsOfDays(all, NOW)
    expect([today.earned, week.earned]).toEqual(['400', '819'])
  })

  test('by model and by miner are the same together, most first', () => {
    const byMiner = sumsBy(all, ({ miner }) => miner)
    expect(byMiner.map(([name, { earned }]) => [name, earned])).toEqual([
      [address(MINER), '819'],
      [address(OTHER), '0'],
    ])
    // Work of an epoch is of no model.
    expect(sumsBy(all, ({ model }) => model).map(([name, { earned }]) => [name, earned])).toEqual([[MODEL, '800']])
  })

  test.each<[string, number[], 'hour' | 'day', Record<number, string>]>([
    ['hours while nothing is older', [0, 0.4 * HOUR, 2 * HOUR], 'hour', { 15: '800', 13: '400' }],
    ['days otherwise', [0, 2 * DAY, 40 * DAY], 'day', { 15: '400', 13: '400' }],
    ['what a fast clock of the chain says, in the last one', [-2 * HOUR], 'hour', { 15: '400' }],
    ['nothing', [], 'hour', {}],
  ])('a history is of %s', (_what, ages, unit, expected) => {
    const history = historyOf(
      ages.map((age) => at(NOW - age, settled(1))),
      NOW,
    )
    expect(history.unit).toBe(unit)
    expect(history.grains).toEqual(Array.from({ length: 16 }, (_, index) => expected[index] ?? '0'))
  })
})

test('CSV has as many cells in each line as columns, and signs of what was lost', () => {
  const fault = audited(1, { result: { type: 'fault', reason: 'digest', slashed: 1_500_000_000n, rewarded: 0n } })
  const rows = earningsCsv([...lines(settled(1), MINER), ...lines(fault, MINER), ...lines(issued(3), MINER)]).split(
    '\r\n',
  )
  const cells = rows.slice(0, -1).map((row) => row.split(','))
  expect(cells.map(({ length }) => length)).toEqual([14, 14, 14, 14])
  expect(cells[2]!.slice(2, 4).concat(cells[2]!.slice(-2))).toEqual(['slashed', 'digest', '-1500000000', '-1.5'])
  expect(cells[3]!.slice(6, 10)).toEqual(['', '', '', ''])
  expect(cells[1]!.slice(0, 2)).toEqual(['2024-10-04T06:30:00Z', '7'])
  expect(cells[1]).toContain(digest(1))
})
