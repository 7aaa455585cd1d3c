/**
 * Four validators as processes: killing one leaves the rest finalising; killing two stops them without a fork; bringing one
 * back resumes; in the end all agree on every block and on every grain.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import { Writer } from '../../src/base/codec.ts'
import { accountOf } from '../../src/core/fields.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'
import {
  allHoldings,
  createLab,
  expectedOf,
  kill,
  type Lab,
  readyNode,
  startNode,
  sumOf,
  untilStatus,
} from './chain-lab.ts'
import { createDllm, type Started } from './dllm.ts'

const dllm = createDllm()
const running = new Map<string, { readonly process: Started; readonly client: ConnectedNode<ChainMethods> }>()
let lab: Lab
let nonce = 0n

beforeAll(async () => {
  lab = await createLab(dllm, 4)
  await Promise.all(lab.names.map(start))
})

afterAll(async () => {
  await Promise.all([...running.values()].map(({ process }) => kill(process)))
  await dllm.cleanUp()
})

async function start(name: string): Promise<void> {
  const process = startNode(dllm, name)
  running.set(name, { process, client: await readyNode(dllm, name, process) })
}

async function end(name: string): Promise<void> {
  const { process, client } = running.get(name)!
  running.delete(name)
  await kill(process)
  client.close()
}

const clients = (): ConnectedNode<ChainMethods>[] => [...running.values()].map(({ client }) => client)
const heights = async (): Promise<number[]> =>
  Promise.all(clients().map(async (client) => (await client.call('dllm_head', {})).height))

/** Every running node gets beyond where the furthest of them is now, by so many blocks. */
async function grow(blocks: number): Promise<void> {
  const wanted = Math.max(...(await heights())) + blocks
  await Promise.all(clients().map((client) => untilStatus(client, ({ height }) => height >= wanted)))
}

/** From the wallet's first account to its fifth. */
async function pay(client: ConnectedNode<ChainMethods>): Promise<void> {
  const keys = lab.wallet.keys({ network: 'local', role: 'owner', account: 0 })
  const to = accountOf(lab.wallet.keys({ network: 'local', role: 'owner', account: 4 }).publicKey)
  const body = new Writer(64)
  transfer.write(body, { to, amount: 1_000n + nonce, memo: new Uint8Array(0) })
  const draft = { type: transfer.type, nonce: nonce++, maxFee: 100_000n, tip: 3n, body: body.finish() }
  const bytes = signTransaction(lab.networkId, draft, keys)
  await client.call('dllm_submit', { transaction: Buffer.from(bytes).toString('hex') })
}

async function hashesOf(client: ConnectedNode<ChainMethods>, until: number): Promise<string[]> {
  const blocks = Array.from({ length: until }, (_, index) => client.call('dllm_block', { height: index + 1 }))
  return (await Promise.all(blocks)).map(({ hash }) => hash)
}

test('four processes finalise blocks', async () => {
  await grow(3)
})

test('with one killed, the three others go on', async () => {
  await end('lab-4')
  await grow(3)
})

test('with two killed, nothing more becomes final, though the two others are in touch and vote', async () => {
  await end('lab-3')
  const [first, second] = clients() as [ConnectedNode<ChainMethods>, ConnectedNode<ChainMethods>]
  // Half of the stake: both vote for the round at hand, and that is as far as two can get.
  const height = Math.max(...(await heights())) + 1
  const isStuck = (status: { height: number; consensus: { step: string } }): boolean =>
    status.height === height - 1 && status.consensus.step === 'prevote'
  const before = await Promise.all([untilStatus(first, isStuck), untilStatus(second, isStuck)])
  expect(before[0].hash).toBe(before[1].hash)
  for (let count = 1; count <= 50; count++) {
    await pay(first)
    await untilStatus(second, ({ waiting }) => waiting === count)
  }
  const after = await Promise.all([first, second].map((client) => client.call('dllm_nodeStatus', {})))
  expect(after.map(({ hash, consensus }) => ({ hash, consensus }))).toEqual(
    before.map(({ hash, consensus }) => ({ hash, consensus })),
  )
  expect(await hashesOf(first, height - 1)).toEqual(await hashesOf(second, height - 1))
})

test('bringing one back resumes, and takes in what waited', async () => {
  await start('lab-3')
  await grow(2)
  await Promise.all(clients().map((client) => untilStatus(client, ({ waiting }) => waiting === 0)))
})

test('the other one catches up with what it missed and votes again', async () => {
  await start('lab-4')
  await grow(3)
  const client = running.get('lab-4')!.client
  const { height, validator } = await client.call('dllm_nodeStatus', {})
  expect(validator).toBeDefined()
  const blocks = await Promise.all([0, 1].map((back) => client.call('dllm_block', { height: height - back })))
  expect(blocks.map(({ commit }) => BigInt(commit.signedStake) * 3n > BigInt(commit.totalStake) * 2n)).toEqual([
    true,
    true,
  ])
})

test('all four have the same blocks, and every grain is somewhere', async () => {
  const until = Math.min(...(await heights()))
  const [first, ...others] = await Promise.all(clients().map((client) => hashesOf(client, until)))
  expect(first).toHaveLength(until)
  for (const other of others) expect(other).toEqual(first)
  const holdings = await Promise.all(clients().map((client) => allHoldings(client, until)))
  for (const one of holdings) {
    expect(one).toEqual(holdings[0])
    expect(sumOf(one)).toBe(expectedOf(one))
  }
  expect(BigInt(holdings[0]!.supply.burnt)).toBeGreaterThan(0n)
  expect(BigInt(holdings[0]!.supply.issued)).toBeGreaterThan(0n)
})
