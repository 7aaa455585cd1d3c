/** Earnings for people: whole ids, at most 80 columns however large the numbers, and a reason where nothing came. */
import { describe, expect, test } from 'vitest'
import type { MarketRecordView, SettlementView } from '../../../../src/app/chain/earnings-access.ts'
import type { UnsettledLot } from '../../../../src/app/chain/earnings-now.ts'
import { type EarningsView, reportOf } from '../../../../src/app/chain/earnings-report.ts'
import { earningsText, settlementText } from '../../../../src/app/chain/earnings-text.ts'
import { viewRecord } from '../../../../src/app/chain/earnings-views.ts'
import { whyNothing } from '../../../../src/app/chain/earnings-why.ts'
import type { MarketAccess, MinerView, PlacementView } from '../../../../src/app/chain/market-access.ts'
import { viewMiner } from '../../../../src/app/chain/market-views.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import type { PayEvent } from '../../../../src/core/market/events.ts'
import { newMiner } from '../../../../src/core/state/miners.ts'
import { AUDITOR, audited, digest, issued, MINER, MODEL, PAYOUT, settled } from '../../../market-samples.ts'

const NOW = 1_763_000_000_000
const MOST = 2n ** 64n - 1n
const address = addressOfAccount(MINER, 'local')
const signal = new AbortController().signal

function miner(change: Partial<MinerView> = {}): MinerView {
  const record = newMiner({ payout: PAYOUT, peerKey: new Uint8Array(32), device: 'cpu' }, 9)
  return { ...viewMiner(MINER, record, 'local'), ...change }
}

const lot = (change: Partial<UnsettledLot> = {}): UnsettledLot => ({
  ...{ miner: address, lease: digest(8), model: MODEL, lot: 0, status: 'open', untilHeight: 120 },
  ...{ claimed: '1000000000', promised: '500000000' },
  ...change,
})

function view(
  events: readonly PayEvent[],
  {
    miners = [miner()],
    lots = [],
    limit = 50,
    isWhole = true,
  }: Partial<{ miners: MinerView[]; lots: UnsettledLot[]; limit: number; isWhole: boolean }> = {},
): EarningsView {
  const records = events.map(
    (event, position): MarketRecordView => viewRecord({ height: 70, position, timeMs: NOW - 1_000, event }, 'local'),
  )
  return reportOf({
    ...{ accounts: new Set([address, addressOfAccount(AUDITOR, 'local')]), now: { miners, lots }, nowMs: NOW, limit },
    known: { height: 71, since: 3, records, isWhole },
    names: new Map([[address, 'miner-1']]),
    notes: new Map([[address, { timeMs: NOW - 65_000, text: `Idle: ${'nobody opened a lease '.repeat(9)}.` }]]),
    models: new Map([[MODEL, 'a-model-of-this-machine']]),
  })
}

function textOf(shown: EarningsView, sinceText?: string): string {
  const text = earningsText(shown, { nowMs: NOW, sinceText })
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  return text
}

const FAULT = { type: 'fault', reason: 'unavailable', slashed: MOST, rewarded: 0n } as const
const EVERYTHING: readonly PayEvent[] = [
  settled(1),
  audited(2),
  audited(3, { result: { type: 'void', reason: 'too-few' } }),
  audited(4, { result: FAULT, auditors: [{ operator: AUDITOR, payout: AUDITOR, verdict: 'wrong', grains: MOST }] }),
  issued(281_474_976_710_656),
]

describe('the text of earnings', () => {
  test('has every kind of entry within 80 columns, with the most that there can be', () => {
    const [first] = settled(1).lots
    const large = settled(9, { lots: [{ ...first!, units: MOST, pay: 10n ** 18n }] })
    const large2 = issued(1, { value: MOST, pay: 10n ** 18n })
    const most = { deposit: String(MOST), locked: String(MOST), workValue: String(MOST), openLots: 2 ** 32 }
    const lots = [lot({ claimed: String(10n ** 18n), promised: String(10n ** 18n), untilHeight: 2 ** 48 })]
    const text = textOf(view([...EVERYTHING, large, large2], { lots, miners: [miner(most)] }))
    for (const words of ['lot 1, 40 CU', 'audit passed, 64 CU', 'audit without result', 'audit failed: unavailable']) {
      expect(text).toContain(words)
    }
    for (const words of ['stake of an audit', 'audited work of epoch 1', 'audited, 0.000000007 DLLM at most']) {
      expect(text).toContain(words)
    }
    for (const whole of [address, MODEL, digest(1), digest(8)]) expect(text).toContain(`  ${whole}\n`)
  })

  test('tells how much is not shown, and that a total is of a part', () => {
    const part = textOf(view(EVERYTHING, { limit: 1, isWhole: false }))
    expect(part).toContain('… and more; --limit shows them, --csv all.\n')
    expect(part).toContain('of the newest entries; there are more\n')
    expect(textOf(view(EVERYTHING), '2026-11-01')).toContain('since 2026-11-01\n')
    expect(textOf(view(EVERYTHING))).toContain('since block 3\n')
  })

  test.each<[string, Partial<UnsettledLot>, string]>([
    ['is claimed', { promised: '0' }, '1 DLLM, claimed'],
    ['is partly claimed', {}, '1.5 DLLM: 1 DLLM claimed, 0.5 DLLM not yet'],
    ['is nothing', { promised: '0', claimed: '0' }, '0 DLLM'],
  ])('says what of a lot %s', (_what, change, words) => {
    expect(textOf(view([], { lots: [lot(change)] }))).toContain(`open until block 120, ${words}\n  ${digest(8)}\n`)
  })

  test('says of a lot that waits for audits that it does', () => {
    const { untilHeight: _until, ...waiting } = lot({ status: 'auditing', promised: '0' })
    expect(textOf(view([], { lots: [waiting] }))).toContain('waits for audits, 1 DLLM, claimed\n')
  })
})

describe('the text of a settlement', () => {
  test('says who was paid, and of a lot that was not why', () => {
    const record = viewRecord({ height: 70, position: 0, timeMs: NOW, event: settled(1) }, 'local') as SettlementView
    const text = settlementText(record)
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
    expect(text).toContain('Status    settled in block 70, 2025-11-13 02:13:20 UTC\n')
    expect(text).toContain(`Lot 1, segments 1 to 3\n  0.0000004 DLLM for 40 CU\n  miner    ${address}\n  paid to  `)
    expect(text).toContain('Lot 2, segments 4 to 6\n  nothing: it was unclaimed\n')
    expect(text).toContain('Returned  0.00000052 DLLM\n')
  })
})

describe('why nothing came', () => {
  const placement = (live: boolean): PlacementView => ({
    ...{ model: MODEL, operator: address, first: 0, end: 2, slots: 1, used: 0, bid: '1', until: 99, live },
    deposit: '1',
  })
  const why = async (
    accounts: string[],
    now: { miners: MinerView[]; lots: UnsettledLot[] },
    placements: PlacementView[] = [],
  ) => {
    const market: Partial<MarketAccess> = {
      models: async () => [{ model: MODEL }] as unknown as Awaited<ReturnType<MarketAccess['models']>>,
      placements: async () => placements,
    }
    const facts = { accounts: new Set(accounts), now, since: 3 }
    return whyNothing(facts, { market: market as MarketAccess, signal })
  }

  test.each<[string, string[], { miners: MinerView[]; lots: UnsettledLot[] }, PlacementView[], string]>([
    ['nobody is meant', [], { miners: [], lots: [] }, [], 'NO_MINER'],
    ['it is no miner', [address], { miners: [], lots: [] }, [], 'NOT_REGISTERED'],
    ['none of several is a miner', [address, 'other'], { miners: [], lots: [] }, [], 'NOT_REGISTERED'],
    ['its lots are not settled', [address], { miners: [miner()], lots: [lot()] }, [], 'NOT_SETTLED'],
    ['it was slashed out', [address], { miners: [miner({ status: 'slashed-out' })], lots: [] }, [], 'SLASHED_OUT'],
    ['it leaves', [address], { miners: [miner({ status: 'draining' })], lots: [] }, [], 'DRAINING'],
    ['it offers nothing', [address], { miners: [miner()], lots: [] }, [placement(false)], 'NOT_PLACED'],
    ['nobody leases it', [address], { miners: [miner()], lots: [] }, [placement(true)], 'NO_LEASES'],
  ])('%s', async (_what, accounts, now, placements, code) => {
    const found = await why(accounts, now, placements)
    expect(found.code).toBe(code)
    expect(found.message).toMatch(/^[A-Z1-9l].*\.$/)
    textOf({ ...view([], now), none: found })
  })
})
