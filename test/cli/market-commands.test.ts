import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TransactionView } from '../../src/app/chain/chain-access.ts'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { LeaseView, MinerView, ModelView, PlacementView, QuoteView } from '../../src/app/chain/market-access.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import { hash } from '../../src/base/brand.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { leaseIdOf } from '../../src/core/state/leases.ts'
import { createLab, expectedOf, type Lab, NETWORK, readyNode, startNode, sumOf, TIMEOUTS } from './chain-lab.ts'
import { createDllm, type Started } from './dllm.ts'
import { labAddress as address, callContract, labCommands } from './lab-commands.ts'

const DLLM = 1_000_000_000n
const PRICE = '12'
const dllm = createDllm()
const { run, json, text, password: PASSWORD } = labCommands(dllm)

let lab: Lab
let node: Started
let client: ConnectedNode<ChainMethods>
let model: ModelView
/** The payer has the money of the network; two accounts of its wallet are miners. */
let payer: KeyPair
let miners: readonly KeyPair[]

const call = (keys: KeyPair, type: number, body: unknown): Promise<bigint> =>
  callContract({ client, lab }, keys, { type, body })

async function openLease(cuts: readonly number[]): Promise<string> {
  const { height } = await client.call('dllm_head', {})
  const voucherKey = keyPairFromSecret(new Uint8Array(32).fill(77)).publicKey
  const nonce = await call(payer, 13, {
    ...{ model: model.model, voucherKey, cuts, avoid: [], rows: 100, cap: DLLM, priceMax: 1_000n },
    expiryHeight: height + 10_000,
  })
  return leaseIdOf(lab.networkId, accountOf(payer.publicKey), nonce)
}

beforeAll(async () => {
  lab = await createLab(dllm, 1, [...TIMEOUTS, `priceMin=${PRICE}`])
  node = startNode(dllm, 'lab-1')
  client = await readyNode(dllm, 'lab-1', node)
  const keysOf = (account: number): KeyPair => lab.wallet.keys({ network: 'local', role: 'owner', account, index: 0 })
  payer = keysOf(0)
  miners = [1, 2].map(keysOf)
  model = (await client.call('dllm_models', {}))[0]!
})
afterAll(async () => {
  client.close()
  node.child.kill('SIGTERM')
  await node.ended
  await dllm.cleanUp()
})

describe('before anybody serves', () => {
  test('the models of the genesis file are listed, and one is shown by its name or its hash', async () => {
    const { models } = await json<{ models: ModelView[] }>('chain', 'models')
    expect(models).toEqual([model])
    expect(model).toMatchObject({ status: 'active', price: PRICE, deposit: '0' })
    expect(await text('chain', 'models')).toContain(`  ${model.name}\n  ${model.model}\n`)
    const shown = await json<ModelView & { placements: PlacementView[] }>('chain', 'models', model.name)
    expect(shown).toEqual({ ...model, placements: [] })
    expect(await json('chain', 'models', model.model)).toEqual(shown)
    expect(await text('chain', 'models', model.model)).toContain(`Price      12 grains per CU\n`)
  })

  test('there are no miners and no leases, without an error', async () => {
    expect(await text('chain', 'miners')).toBe('Nobody is a miner on this network.\n')
    expect(await text('lease', 'list')).toBe(`No lease is open or waits to be settled.\n  ${address(payer)}\n`)
    expect(await json('lease', 'list')).toMatchObject({ leases: [], more: false })
  })

  test('nobody would serve a lease', async () => {
    const { code, stderr } = await run('lease', 'quote', model.name)
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('(NO_MINER)') })
  })

  test.each<[what: string, args: readonly string[], exit: number, code: string]>([
    ['with a wallet there is no miner to pay', ['--wallet', 'default'], 1, 'NO_MINER'],
    [
      'with more than it has is told what is missing',
      ['--wallet', 'default', '--cap', '5000000'],
      5,
      'INSUFFICIENT_FUNDS',
    ],
    [
      'with an account that has nothing',
      ['--wallet', 'default', '--account', '7', ...PASSWORD],
      5,
      'INSUFFICIENT_FUNDS',
    ],
    ['with a wallet that is not there', ['--wallet', 'nobody'], 1, 'WALLET_NOT_FOUND'],
    ['nobody can be asked for a password, so nobody who serves for nothing is found either', [], 3, 'RING_NO_ROUTE'],
    ['that is free finds nobody', ['--free'], 3, 'RING_NO_ROUTE'],
  ])('a chat: %s', async (_what, args, exit, code) => {
    const { code: found, stderr } = await dllm.runWarm([
      ...['chat', 'x', '--max-tokens', '20', '--network', NETWORK],
      ...args,
    ])
    expect({ found, stderr }).toEqual({ found: exit, stderr: expect.stringContaining(`(${code})`) })
    expect(stderr).not.toContain('    at ')
  })
})

describe('with two miners', () => {
  beforeAll(async () => {
    for (const [index, keys] of miners.entries()) {
      await text('wallet', 'send', '10', address(keys), ...PASSWORD)
      const operator = accountOf(keys.publicKey)
      const peer = keyPairFromSecret(new Uint8Array(32).fill(90 + index))
      const claim = provePeerKey({ networkId: lab.networkId, operator }, peer)
      await call(keys, 10, { payout: operator, device: 'cpu', deposit: 2n * DLLM, ...claim })
      const { height } = await client.call('dllm_head', {})
      await call(keys, 12, {
        ...{ model: model.model, first: 0, end: model.segments.length, slots: 3, bid: 1n + BigInt(index) },
        ...{ until: height + 290, incarnation: 1n },
      })
    }
  })

  test('they are listed, and one is shown', async () => {
    const { miners: listed, more } = await json<{ miners: MinerView[]; more: boolean }>('chain', 'miners')
    expect(listed.map((miner) => miner.address).toSorted()).toEqual(miners.map(address).toSorted())
    expect(more).toBe(false)
    const first = await json<{ miners: MinerView[]; more: boolean }>('chain', 'miners', '--limit', '1')
    expect(first).toMatchObject({ miners: [listed[0]], more: true })
    expect(await text('chain', 'miners', '--limit', '1')).toContain('… and more; --limit shows them.\n')
    const shown = await json<MinerView>('chain', 'miners', listed[0]!.address)
    expect(shown).toEqual(listed[0])
    expect(shown).toMatchObject({ deposit: '2000000000', locked: '0', openLots: 0, status: 'active', reliability: 1 })
    expect(await text('chain', 'miners', shown.address)).toContain('Deposit      2 DLLM\n')
    expect(await text('chain', 'models', model.name)).toMatch(new RegExp(`live\n {2}${listed[0]!.address}\n`))
  })

  test('a quote says who would serve and what it costs, and changes nothing', async () => {
    const quote = await json<QuoteView>('lease', 'quote', model.name, '--cuts', '2', '--rows', '100')
    expect(quote.lots.map(({ first, end }) => [first, end])).toEqual([
      [0, 1],
      [1, model.segments.length],
    ])
    expect(quote.lots.map(({ operator }) => operator).toSorted()).toEqual(miners.map(address).toSorted())
    const parts = [quote.miners, quote.treasury, quote.stakers, quote.burnt].map(BigInt)
    expect(parts.reduce((sum, part) => sum + part)).toBe(BigInt(quote.escrow))
    expect(BigInt(quote.escrow)).toBe(BigInt(quote.units) * BigInt(quote.price))
    expect(quote.lots.reduce((sum, { pay }) => sum + BigInt(pay), 0n)).toBe(BigInt(quote.miners))
    expect(await text('lease', 'quote', model.model, '--payer', address(payer))).toContain('Lot 1, segments 1 to')
    expect(await json('lease', 'list')).toMatchObject({ leases: [] })
  })

  test('a lease is as its quote for the same payer said', async () => {
    const [head, quote] = await Promise.all([
      client.call('dllm_head', {}),
      client.call('dllm_quote', { model: hash(model.model), cuts: [1], rows: 100, payer: address(payer) }),
    ])
    const id = await openLease([1])
    const lease = await json<LeaseView>('lease', 'show', id)
    expect(lease).toMatchObject({ id, payer: address(payer), status: 'open', escrow: '1000000000', charge: '0' })
    expect(lease.lots.map(({ operator }) => operator)).toEqual(quote.lots.map(({ operator }) => operator))
    expect(lease.openedHeight).toBeGreaterThan(head.height)
    const shown = await text('lease', 'show', id)
    expect(shown).toContain(`Lease        ${id}\n`)
    expect(shown).toContain('no voucher was shown')
    const sums = await client.call('dllm_holdings', {})
    expect(sums.next).toBeUndefined()
    expect(sumOf(sums)).toBe(expectedOf(sums))
    expect(sums.holdings).toContainEqual({ kind: 'escrow', address: address(payer), amount: '1000000000' })
  })

  test('leases are listed by who pays and by who serves', async () => {
    const second = await openLease([])
    const { leases } = await json<{ leases: LeaseView[] }>('lease', 'list')
    expect(leases.map(({ id }) => id)).toContain(second)
    expect(leases).toHaveLength(2)
    expect(await json('lease', 'list', '--payer', address(payer))).toMatchObject({ leases })
    expect(await json('lease', 'list', '--payer', address(miners[0]!))).toMatchObject({ leases: [] })
    const served = await Promise.all(
      miners.map((keys) => json<{ leases: LeaseView[] }>('lease', 'list', '--operator', address(keys))),
    )
    expect(served.flatMap((each) => each.leases)).toHaveLength(3)
    expect(await text('lease', 'list', '--limit', '1')).toContain('… and more; --limit shows them.\n')
    expect(await text('lease', 'list')).toContain(`  ${second}\n`)
  })

  test('pages lead on from where the one before ended', async () => {
    const all = await client.call('dllm_leases', { limit: 128 })
    const first = await client.call('dllm_leases', { limit: 1 })
    const rest = await client.call('dllm_leases', { limit: 128, from: first.next! })
    expect([...first.entries, ...rest.entries]).toEqual(all.entries)
    expect({ all: all.next, rest: rest.next }).toEqual({ all: undefined, rest: undefined })
    expect(await client.call('dllm_audits', { limit: 128 })).toMatchObject({ entries: [] })
  })

  test('the payer closes a lease once; another account cannot', async () => {
    const { leases } = await json<{ leases: LeaseView[] }>('lease', 'list')
    const [{ id }, other] = leases as [LeaseView, LeaseView]
    const stranger = await run('lease', 'close', id, '--account', '1', ...PASSWORD)
    expect(stranger).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('(NOT_THE_PAYER)') })
    const closed = await json<TransactionView>('lease', 'close', id, ...PASSWORD)
    expect(closed).toMatchObject({ type: 'close-lease', sender: address(payer), body: { lease: id } })
    expect(await json('lease', 'show', id)).toMatchObject({ status: 'closing', openedHeight: leases[0]!.openedHeight })
    expect(await text('lease', 'show', id)).toMatch(/Status {7}closed, claims until block \d+ \(in /)
    const again = await run('lease', 'close', id, ...PASSWORD)
    expect(again).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('(LEASE_CLOSED)') })
    expect(await json('lease', 'show', other.id)).toMatchObject({ status: 'open' })
    const { code, stderr } = await run('lease', 'close', other.id, ...PASSWORD)
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining(`  lease   ${other.id}\n`) })
  })
})

test.each([
  ['a lease that nobody opened', ['lease', 'show', 'ab'.repeat(32)], 1, 'NO_SUCH_LEASE'],
  ['closing a lease that nobody opened', ['lease', 'close', 'ab'.repeat(32), '--yes'], 1, 'NO_SUCH_LEASE'],
  ['a lease by a height', ['lease', 'show', '1204'], 2, 'LEASE_ID_BAD'],
  ['closing a part of an id', ['lease', 'close', 'ab'], 2, 'LEASE_ID_BAD'],
  ['more leases than are listed', ['lease', 'list', '--limit', '1001'], 2, 'USAGE'],
  ['both a payer and an operator', ['lease', 'list', '--payer', 'PAYER', '--operator', 'PAYER'], 2, 'USAGE'],
  [
    'leases of an address of another network',
    ['lease', 'list', '--payer', 'dllm1nh99ljy9n8t3kr46r4phg3xhx5kgrdy0cwxkhr9'],
    2,
    'ADDRESS_',
  ],
  ['a miner that is none', ['chain', 'miners', 'PAYER'], 1, 'NO_SUCH_MINER'],
  ['a model that nobody registered', ['chain', 'models', 'ab'.repeat(32)], 1, 'NO_SUCH_MODEL'],
  ['a model that is not on this machine', ['chain', 'models', 'nothing'], 1, 'MODEL_NOT_FOUND'],
  ['a quote of a model that nobody registered', ['lease', 'quote', 'ab'.repeat(32)], 1, 'NO_SUCH_MODEL'],
  ['cuts that do not rise', ['lease', 'quote', 'MODEL', '--cuts', '3,2'], 1, 'BAD_CUTS'],
  ['a cut behind the model', ['lease', 'quote', 'MODEL', '--cuts', '99'], 1, 'BAD_CUTS'],
  [
    'a miner that is avoided twice',
    ['lease', 'quote', 'MODEL', '--avoid', 'PAYER', '--avoid', 'PAYER'],
    1,
    'BAD_AVOID',
  ],
  ['nobody who is left', ['lease', 'quote', 'MODEL', '--avoid', 'MINER-0', '--avoid', 'MINER-1'], 1, 'NO_MINER'],
  ['cuts of words', ['lease', 'quote', 'MODEL', '--cuts', 'a,b'], 2, 'CUTS_BAD'],
  ['no rows', ['lease', 'quote', 'MODEL', '--rows', '0'], 2, 'USAGE'],
] as const)('refused with a code and a sentence: %s', async (_case, args, code, name) => {
  const named = (word: string): string => {
    return word.startsWith('MINER-') ? address(miners[Number(word.slice(6))]!) : word.replace('PAYER', address(payer))
  }
  const words = args.map((word) => named(word).replace('MODEL', model.name))
  const { code: found, stdout, stderr } = await run(...words)
  expect({ found, stdout, stderr: stderr.includes(`(${name}`) ? name : stderr }).toEqual({
    ...{ found: code, stdout: '', stderr: name },
  })
  expect(stderr).not.toContain('    at ')
})

test.each([
  ['a page that is too long', () => client.call('dllm_leases', { limit: 129 })],
  ['a page of nothing', () => client.call('dllm_miners', { limit: 0 })],
  ['too many cuts', () => client.call('dllm_quote', { model: model.model, cuts: Array(16).fill(1), rows: 1 })],
])('the node refuses %s', async (_case, ask) => {
  await expect(ask()).rejects.toMatchObject({ code: 'PARAM_BAD' })
})
