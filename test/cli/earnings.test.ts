/** `dllm earnings` over a real node: from nobody being a miner to a lease that was settled, as people and scripts see it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { SettlementView } from '../../src/app/chain/earnings-access.ts'
import type { EarningsView } from '../../src/app/chain/earnings-report.ts'
import type { LeaseView, ModelView } from '../../src/app/chain/market-access.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import type { DashboardView } from '../../src/app/dashboard/view.ts'
import { loadNodeIdentity } from '../../src/app/node-identity.ts'
import { createSystem } from '../../src/app/system.ts'
import { type Hash, hash } from '../../src/base/brand.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { signVoucher } from '../../src/core/market/voucher.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { leaseIdOf } from '../../src/core/state/leases.ts'
import { createLab, type Lab, readyNode, startNode, TIMEOUTS } from './chain-lab.ts'
import { createDllm, type Started } from './dllm.ts'
import { labAddress as address, callContract, labCommands } from './lab-commands.ts'

const DLLM = 1_000_000_000n
const dllm = createDllm()
const VOUCHERS = keyPairFromSecret(new Uint8Array(32).fill(77))
const { run, json, text, password } = labCommands(dllm)

let lab: Lab
let node: Started
let client: ConnectedNode<ChainMethods>
let model: ModelView
let payer: KeyPair
let operator: KeyPair
let payout: string

const call = (keys: KeyPair, type: number, body: unknown): Promise<bigint> =>
  callContract({ client, lab }, keys, { type, body })

async function untilSettled(lease: Hash): Promise<SettlementView> {
  for await (const _head of client.stream('dllm_watchHeads', {})) {
    const { settlement } = await client.call('dllm_settlement', { id: lease })
    if (settlement !== undefined) return settlement
  }
  throw new Error('the node stopped')
}

const height = async (): Promise<number> => (await client.call('dllm_head', {})).height

beforeAll(async () => {
  lab = await createLab(dllm, 1, [...TIMEOUTS, 'priceMin=12', 'disputeBlocks=4'])
  node = startNode(dllm, 'lab-1')
  client = await readyNode(dllm, 'lab-1', node)
  const keysOf = (role: 'owner' | 'operator' | 'payout') =>
    lab.wallet.keys({ network: 'local', role, account: 0, index: 0 })
  payer = keysOf('owner')
  operator = keysOf('operator')
  payout = address(keysOf('payout'))
  model = (await client.call('dllm_models', {}))[0]!
})
afterAll(async () => {
  client.close()
  node.child.kill('SIGTERM')
  await node.ended
  await dllm.cleanUp()
})

describe('says why nothing came', () => {
  const none = async (...args: string[]) => (await json<EarningsView>('earnings', ...args)).none?.code

  test('while the account is no miner', async () => {
    expect(await none()).toBe('NOT_REGISTERED')
    const told = await text('earnings')
    expect(told).toContain('Nothing came in yet.')
    expect(told).toContain(address(operator))
    expect(await none('--miner', address(payer), '--miner', payout)).toBe('NOT_REGISTERED')
    const { entries, miners, total } = await json<EarningsView>('earnings')
    expect({ entries, miners, earned: total.earned }).toEqual({ entries: [], miners: [], earned: '0' })
  })

  test('while a registered miner offers nothing, then while nobody leases it', async () => {
    const { random } = createSystem()
    mkdirSync(join(dllm.home, 'nodes'), { recursive: true })
    const { secretKey } = await loadNodeIdentity(join(dllm.home, 'nodes', 'here.key'), random)
    await json('wallet', 'send', '10', address(operator), '--yes', ...password)
    const id = accountOf(operator.publicKey)
    const claim = provePeerKey({ networkId: lab.networkId, operator: id }, keyPairFromSecret(secretKey))
    const payoutId = accountOf(lab.wallet.keys({ network: 'local', role: 'payout', account: 0, index: 0 }).publicKey)
    await call(operator, 10, { payout: payoutId, device: 'cpu', deposit: 2n * DLLM, ...claim })
    expect(await none()).toBe('NOT_PLACED')
    await call(operator, 12, {
      ...{ model: model.model, first: 0, end: model.segments.length, slots: 3, bid: 1n },
      ...{ until: (await height()) + 290, incarnation: 1n },
    })
    expect(await none()).toBe('NO_LEASES')
    const told = await text('earnings')
    expect(told).toContain(`here, cpu\n  ${address(operator)}\n`)
    expect(told).toContain('Deposit    2 DLLM\n           0 DLLM locked, 2 DLLM free\n')
    // Its key is in the data folder, so nobody has to name it.
    const { miners } = await json<EarningsView>('earnings')
    expect(miners).toMatchObject([{ address: address(operator), payout, name: 'here', status: 'active' }])
  })

  test('with what the miner itself said last', async () => {
    mkdirSync(join(dllm.home, 'mining', 'here'), { recursive: true })
    const line = { event: 'idle', timeMs: 1_763_000_000_000, text: 'Idle: nobody opened a lease for this model.' }
    writeFileSync(join(dllm.home, 'mining', 'here', 'events.ndjson'), `${JSON.stringify(line)}\n`)
    const { miners } = await json<EarningsView>('earnings')
    expect(miners[0]?.note).toEqual({ timeMs: line.timeMs, text: line.text })
    expect(await text('earnings')).toContain(`  ${line.text}`)
  })
})

describe('of a lease', () => {
  let lease: Hash
  let settlement: SettlementView

  test('that is claimed it shows what is to come', async () => {
    const nonce = await call(payer, 13, {
      ...{ model: hash(model.model), voucherKey: VOUCHERS.publicKey, cuts: [], avoid: [], rows: 100, cap: DLLM },
      ...{ priceMax: 1_000n, expiryHeight: (await height()) + 1_000 },
    })
    lease = leaseIdOf(lab.networkId, accountOf(payer.publicKey), nonce)
    expect((await json<EarningsView>('earnings')).none?.code).toBe('NOT_SETTLED')
    const counters = { promptRows: 20n, promptPositions: 190n, decodeRows: 5n, decodePositions: 110n }
    const voucher = signVoucher(lab.networkId, { lease, seq: 1n, counters, transcript: lease }, VOUCHERS.secretKey)
    const shown = { key: VOUCHERS.publicKey, voucher }
    await call(operator, 15, { lease, shown, lot: 0, rows: 40, root: lease })
    const view = await json<LeaseView>('lease', 'show', lease)
    const earnings = await json<EarningsView>('earnings')
    const due = BigInt(view.lots[0]!.rate) * (BigInt(view.charge) / BigInt(view.terms.price))
    expect(earnings).toMatchObject({ claimed: String(due), promised: '0', locked: view.lots[0]!.task })
    expect(earnings.lots).toMatchObject([{ lease, lot: 0, status: 'open', miner: address(operator) }])
    expect(await text('earnings')).toContain('Not settled\nopen until block ')
  })

  test('that was settled it shows what came, which is what the payout account has', async () => {
    const before = BigInt((await client.call('dllm_account', { address: payout })).balance)
    const view = await json<LeaseView>('lease', 'show', lease)
    await call(payer, 14, { lease })
    settlement = await untilSettled(lease)
    const [lot] = settlement.lots
    expect(lot).toMatchObject({ operator: address(operator), payout, state: 'claimed', first: 0 })
    expect(settlement.charge).toBe(view.charge)
    const after = BigInt((await client.call('dllm_account', { address: payout })).balance)
    expect(after - before).toBe(BigInt(lot!.pay))
    const earnings = await json<EarningsView>('earnings')
    const sum = { earned: lot!.pay, lost: '0', lots: 1, units: lot!.units, auditsPassed: 0, auditsFailed: 0 }
    expect(earnings).toMatchObject({
      today: sum,
      week: sum,
      total: sum,
      lots: [],
      claimed: '0',
      isWhole: true,
      since: 1,
    })
    expect(earnings.none).toBeUndefined()
    expect(earnings.models).toEqual([{ model: model.model, name: 'genesis', total: sum }])
    expect(earnings.entries).toMatchObject([
      { type: 'settled', result: 'claimed', lease, grains: lot!.pay, height: settlement.height },
    ])
    expect(earnings.history.grains.at(-1)).toBe(lot!.pay)
    const told = await text('earnings')
    expect(told).toMatch(/Today {6}0\.\d+ DLLM, 1 lot with \d+ CU\n/)
    expect(told).toContain(`  ${lease}\n`)
  })

  test('the dashboard has the same figures, with and without the wallet', async () => {
    const { earnings, work } = await json<DashboardView>('dashboard', '--once')
    const { pay } = settlement.lots[0]!
    expect(earnings).toMatchObject({
      mined: { today: { earned: pay }, total: { earned: pay }, claimed: '0', since: 1 },
    })
    expect(work.audits).toEqual({ passed: 0, failed: 0 })
    expect(earnings.none).toBeUndefined()
    expect(await text('dashboard', '--once', '--wallet', 'default')).toMatch(
      /\nEarnings\n {2}Today {7}0\.\d+ DLLM\n {2}Earned {6}0\.\d+ DLLM\n(?:.*\n)+ {2}Wallet {6}default\n/,
    )
  })

  test('the same is told of the payout account, and nothing of who paid', async () => {
    const byPayout = await json<EarningsView>('earnings', '--miner', payout)
    expect(byPayout.total.earned).toBe(settlement.lots[0]!.pay)
    const byPayer = await json<EarningsView>('earnings', '--miner', address(payer))
    expect(byPayer).toMatchObject({ entries: [], none: { code: 'NOT_REGISTERED' } })
  })

  test('a day after which nothing came has nothing', async () => {
    expect(await json<EarningsView>('earnings', '--since', '2099-01-01')).toMatchObject({
      ...{ entries: [], total: { earned: '0' }, none: { code: 'NO_LEASES' } },
    })
    const since = await json<EarningsView>('earnings', '--since', '2020-01-01T06:30')
    expect(since.entries).toHaveLength(1)
    expect(await text('earnings', '--since', '2020-01-01')).toContain('since 2020-01-01\n')
  })

  test('as CSV it is a header and a line per entry', async () => {
    const { stdout } = await run('earnings', '--csv')
    const [header, line, ...rest] = stdout.split('\r\n')
    expect(rest).toEqual([''])
    expect(header).toBe('time,height,type,result,miner,payout,model,lease,lot,window,cu,value,grains,dllm')
    const cells = new Map(header!.split(',').map((name, index) => [name, line!.split(',')[index]!]))
    const [{ pay, units }] = settlement.lots as [SettlementView['lots'][number]]
    expect(Object.fromEntries(cells)).toMatchObject({
      ...{ height: String(settlement.height), type: 'settled', result: 'claimed', miner: address(operator), payout },
      ...{ model: model.model, lease, lot: '0', window: '', cu: units, value: '', grains: pay },
    })
    expect(cells.get('time')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(Math.round(Number(cells.get('dllm')) * 1e9)).toBe(Number(pay))
    expect((await run('earnings', '--csv', '--limit', '0')).stdout).toBe(`${header}\r\n`)
  })

  test('a settled lease says who was paid what', async () => {
    expect(await json('lease', 'show', lease)).toEqual(settlement)
    const told = await text('lease', 'show', lease)
    expect(told).toContain(`Status    settled in block ${settlement.height}, `)
    expect(told).toContain(`  paid to  ${payout}\n`)
  })
})

test.each([
  ['more accounts than one question is for', () => Array<string>(65).fill(address(operator)), {}],
  ['an account that is none', () => ['x'], {}],
  ['a page that is too long', () => [address(operator)], { limit: 129 }],
])('the node refuses %s', async (_case, accounts, change) => {
  const asked = client.call('dllm_earnings', { accounts: accounts(), limit: 1, ...change })
  await expect(asked).rejects.toMatchObject({ code: 'PARAM_BAD' })
})

test.each([
  ['a date that there is not', ['--since', '2026-02-30'], 2, 'DATE_BAD'],
  ['a date in words', ['--since', 'yesterday'], 2, 'DATE_BAD'],
  ['an address that is none', ['--miner', 'x'], 2, 'ADDRESS_'],
  ['a miner and a wallet', ['--miner', 'x', '--wallet', 'default'], 2, 'USAGE'],
  ['more entries than are read', ['--limit', '10001'], 2, 'USAGE'],
  ['more accounts than are asked for', ['--accounts', '65'], 2, 'USAGE'],
  ['CSV within JSON', ['--csv', '--json'], 2, 'USAGE'],
  ['a wallet that is not there', ['--wallet', 'nobody'], 1, 'WALLET_NOT_FOUND'],
] as const)('refused with a code and a sentence: %s', async (_case, args, code, name) => {
  const { code: found, stdout, stderr } = await run('earnings', ...args)
  expect({ found, told: stdout + stderr }).toEqual({ found: code, told: expect.stringContaining(name) })
  expect(stderr).not.toContain('    at ')
})
