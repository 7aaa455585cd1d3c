/**
 * The market end to end, as processes over TCP: two validators, four miners, and a client with a fresh wallet. A chat opens a lease, pays for what
 * is computed, and reads what a free ring writes; the miners claim, audit each other and are paid, to the grain; and one that lies in a segment is
 * found, slashed and named.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EndedAuditView, MarketRecordView, SettlementView } from '../../src/app/chain/earnings-access.ts'
import type { EarningsView } from '../../src/app/chain/earnings-report.ts'
import type { LeaseView, MinerView } from '../../src/app/chain/market-access.ts'
import { type Hash, grains as toGrains } from '../../src/base/brand.ts'
import { addressOfAccount } from '../../src/core/fields.ts'
import { TREASURY } from '../../src/core/state/accounts.ts'
import { formatDllm } from '../../src/core/units.ts'
import { createDllm, plainEnvironment, type Started, watch } from './dllm.ts'
import { billOf, type EndedLease, keyOf, type Ledger, ledgerAfter } from './market-processes-ledger.ts'
import {
  CLIENT_WALLET,
  createMarketWorld,
  DLLM,
  fund,
  type MarketWorld,
  MINERS_WALLET,
  type MinerStart,
  PRICE,
  until,
} from './market-processes-world.ts'

/** On two cores that others use as well. */
const TIMEOUT_MS = 240_000

const dllm = createDllm()
const TREASURY_ADDRESS = addressOfAccount(TREASURY, 'local')
const TOKENS = 500
const chat = ['chat', 'Once upon a time', '--seed', '7', '--max-tokens', String(TOKENS)]
/** Two for each half of the model: who does not get the lot audits it. */
const HONEST: readonly MinerStart[] = [
  { name: 'm1', account: 1, segments: '1-3', bid: 700n },
  { name: 'm2', account: 2, segments: '1-3', bid: 700n },
  { name: 'm3', account: 3, segments: '4-6', bid: 700n },
  { name: 'm4', account: 4, segments: '4-6', bid: 700n },
]

let world: MarketWorld
const miners = new Map<string, Started>()

beforeAll(async () => {
  world = await createMarketWorld(dllm)
  await fund(
    world,
    world.miners.map(({ operator }) => operator),
    10n * DLLM,
  )
  for (const miner of HONEST) miners.set(miner.name, world.startMiner(miner))
  await until(async () => (await livePlacements()).length === HONEST.length)
}, TIMEOUT_MS)
afterAll(async () => {
  await world?.end()
  await dllm.cleanUp()
})

async function livePlacements(): Promise<readonly { readonly operator: string; readonly bid: string }[]> {
  const { chain } = world
  const [model] = await chain.call('dllm_models', {})
  return (await chain.call('dllm_placements', { model: model!.model })).filter(({ live }) => live)
}

interface PaidChat {
  readonly text: string
  readonly reason: string
  readonly lease: Hash
}

/** A chat of the client's wallet, and the lease that it has paid with. */
async function paidChat(...more: string[]): Promise<PaidChat> {
  const wallet = ['--wallet', CLIENT_WALLET, ...world.password]
  const { code, stdout, stderr } = await world.run(...chat, ...wallet, '--json', ...more)
  expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' })
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly type: string } & PaidChat)
  const { lease } = lines.findLast(({ type }) => type === 'lease')!
  return { ...lines.at(-1)!, lease }
}

async function closeLease(id: Hash): Promise<void> {
  await world.json('lease', 'close', id, '--wallet', CLIENT_WALLET, ...world.password)
}

/** Of a lease, in the order in which it happened. */
async function recordsOf(lease: Hash): Promise<{ audits: EndedAuditView[]; settlement: SettlementView }> {
  // The state has a block a moment before the index of it.
  await until(async () => (await world.chain.call('dllm_settlement', { id: lease })).settlement !== undefined)
  const { entries } = await world.chain.call('dllm_earnings', { accounts: [world.client], limit: 128 })
  const operators = await world.chain.call('dllm_earnings', {
    ...{ accounts: world.miners.map(({ operator }) => operator), limit: 128 },
  })
  const all = new Map<string, MarketRecordView>()
  for (const each of [...entries, ...operators.entries]) all.set(`${each.height} ${each.position}`, each)
  const own = [...all.values()].filter((each) => each.type !== 'issued' && each.lease === lease)
  const audits = own.filter((each) => each.type === 'audited')
  return { audits, settlement: own.find((each) => each.type === 'settled')! }
}

const inDllm = (grains: string): string => `${formatDllm(toGrains(BigInt(grains)))} DLLM`
const payoutOf = (operator: string): string => world.miners.find((miner) => miner.operator === operator)!.payout
const minerOf = (operator: string): Promise<MinerView> => world.chain.call('dllm_miner', { address: operator })

/** What everybody has now must follow from what they had, the blocks since, and the leases that ended in them. */
async function expectLedger(
  before: { readonly height: number; readonly ledger: Ledger },
  ended: readonly EndedLease[],
): Promise<Ledger> {
  const after = await world.ledger()
  const blocks = await world.blocks(before.height + 1, after.height)
  const expected = ledgerAfter(before.ledger, blocks, { ended, treasury: TREASURY_ADDRESS })
  expect(Object.fromEntries(after.ledger)).toEqual(Object.fromEntries(expected))
  return after.ledger
}

describe('a client with a fresh wallet', { timeout: TIMEOUT_MS }, () => {
  let before: { readonly height: number; readonly ledger: Ledger }
  let answer: PaidChat
  let lease: LeaseView

  test('gets money, and its chat opens a lease with one transaction and reads what a free ring writes', async () => {
    const sent = await world.run('wallet', 'send', '20', world.client, ...world.password)
    expect(sent).toMatchObject({ code: 0 })
    before = await world.ledger()
    expect(before.ledger.get(keyOf('balance', world.client))).toBe(20n * DLLM)
    const free = await world.run(...chat)
    expect(free.code).toBe(0)
    answer = await paidChat()
    expect(answer).toMatchObject({ text: free.stdout, reason: 'max-tokens' })
    const history = await world.chain.call('dllm_history', { address: world.client, limit: 10 })
    expect(history.map(({ type }) => type)).toEqual(['open-lease', 'transfer'])
  })

  test('has a lease of one lot for each half, which the vouchers have not drawn on yet', async () => {
    lease = await world.json<LeaseView>('lease', 'show', answer.lease)
    expect(lease).toMatchObject({ payer: world.client, status: 'open', terms: { price: String(PRICE) } })
    expect(lease.lots.map(({ first, end }) => [first, end])).toEqual([
      [0, 3],
      [3, 6],
    ])
  })

  test('closes it; miners claim and audits pass by themselves, and everybody has what is theirs to the grain', async () => {
    await closeLease(answer.lease)
    const last = await world.settled(answer.lease)
    expect(last.counters).toMatchObject({ decodeRows: String(TOKENS - 1) })
    expect(last.lots.map(({ state }) => state)).toEqual(['claimed', 'claimed'])
    const { audits, settlement } = await recordsOf(answer.lease)
    expect(audits.length).toBeGreaterThan(0)
    for (const audit of audits) {
      expect(audit).toMatchObject({ result: 'pass' })
      for (const auditor of audit.auditors) expect(auditor.verdict).toBe('right')
    }
    const bill = billOf(last)
    expect(settlement).toMatchObject({ charge: String(bill.charge), burnt: String(bill.burnt) })
    expect(bill.lots.every(({ pay }) => pay > 0n)).toBe(true)
    const payouts = last.lots.map(({ operator }) => payoutOf(operator))
    const ledger = await expectLedger(before, [{ lease: last, payouts, faults: [] }])
    for (const [lot, payout] of payouts.entries()) {
      expect(ledger.get(keyOf('balance', payout))).toBe(bill.lots[lot]!.pay)
    }
    expect(ledger.get(keyOf('balance', TREASURY_ADDRESS))).toBe(bill.treasury)
  })

  test('each miner has said whether it got the lot and why not, what it claimed, and what it was paid', async () => {
    const { settlement } = await recordsOf(answer.lease)
    for (const [index, { operator }] of world.miners.entries()) {
      const pay = settlement.lots.find((lot) => lot.operator === operator)?.pay
      const said = miners.get(HONEST[index]!.name)!
      if (pay === undefined) await said.printed(/"event":"job-lost".*"event":"audit-duty"/s)
      else await said.printed(new RegExp(`"event":"job-won".*"event":"claimed".*Paid ${inDllm(pay)} for lease`, 's'))
    }
  })

  test('`dllm earnings` shows each miner of this machine what it got', async () => {
    const { settlement } = await recordsOf(answer.lease)
    const { code, stdout } = await world.run('earnings')
    expect(code).toBe(0)
    const view = await world.json<EarningsView>('earnings')
    expect(view.miners).toHaveLength(HONEST.length)
    const earned = new Map(view.miners.map(({ address, total }) => [address, total.earned]))
    const paid = new Map(settlement.lots.map(({ operator, pay }) => [operator, pay]))
    for (const [operator, grains] of earned) expect(grains).toBe(paid.get(operator) ?? '0')
    for (const grains of paid.values()) expect(stdout).toContain(inDllm(grains))
    const shown = await world.run('lease', 'show', answer.lease)
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('settled in block') })
  })
})

describe('a miner that lies in one segment', { timeout: TIMEOUT_MS }, () => {
  const LIAR = { name: 'm2', account: 2 }
  let liar: Started
  let operator: string

  beforeAll(async () => {
    operator = world.miners.find(({ account }) => account === LIAR.account)!.operator
    const honest = miners.get(LIAR.name)!
    honest.child.kill('SIGTERM')
    await honest.ended
    liar = startLiar()
    // Its bid is the lowest, so it gets the first lot.
    await until(async () => (await livePlacements()).some((each) => each.operator === operator && each.bid === '1'))
  }, TIMEOUT_MS)
  afterAll(async () => {
    liar?.child.kill('SIGKILL')
    await liar?.ended
  })

  function startLiar(): Started {
    const entry = join(import.meta.dirname, 'lying-miner.ts')
    const args = [dllm.home, 'lab', LIAR.name, '1-3', MINERS_WALLET, String(LIAR.account), world.password[1]!, '1']
    const env = plainEnvironment()
    return watch(spawn(process.execPath, [entry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  test('is found at fault, slashed and named; the others are paid, and the client is not charged for its lot', async () => {
    const before = await world.ledger()
    const deposit = BigInt((await minerOf(operator)).deposit)
    const { lease } = await paidChat()
    const opened = await world.json<LeaseView>('lease', 'show', lease)
    expect(opened.lots[0]).toMatchObject({ operator, first: 0, end: 3 })
    await closeLease(lease)
    const last = await world.settled(lease)
    const { audits, settlement } = await recordsOf(lease)
    const found = audits.map(({ lot, result, reason = 'as it was opened' }) => `lot ${lot}: ${result}, ${reason}`)
    expect(new Set(found)).toEqual(new Set(['lot 0: fault, digest', 'lot 1: pass, as it was opened']))
    const faults = audits.filter(({ result }) => result === 'fault')
    expect(settlement.lots.map(({ state }) => state)).toEqual(['faulted', 'claimed'])
    expect(settlement.lots[0]!.pay).toBe('0')
    const bill = billOf(last, [0])
    expect(settlement).toMatchObject({ charge: String(bill.charge) })
    expect(bill.lots[1]!.pay).toBeGreaterThan(0n)
    const slashed = faults.find((each) => each.slashed !== '0')!
    const accusers = slashed.auditors.filter(({ verdict }) => verdict === 'right').map(({ payout }) => payout)
    const payouts = last.lots.map((lot) => payoutOf(lot.operator))
    await expectLedger(before, [{ lease: last, payouts, faults: [{ lot: 0, accusers }] }])
    expect(BigInt((await minerOf(operator)).deposit)).toBe(deposit - BigInt(last.lots[0]!.task))
    // Its own log, its earnings, and the lease.
    await liar.printed(/Audits took 0\.\d+ DLLM of the deposit: a lot of this miner was found at fault/)
    const { total } = await world.json<EarningsView>('earnings', '--miner', operator)
    expect(total).toMatchObject({ lost: last.lots[0]!.task, auditsFailed: faults.length })
    const told = await world.run('earnings', '--miner', operator)
    expect(told).toMatchObject({ code: 0, stdout: expect.stringMatching(/audit failed: digest/) })
    const shown = await world.run('lease', 'show', lease)
    expect(shown.stdout).toContain(`nothing: it was faulted\n  miner    ${operator}\n`)
  })
})
