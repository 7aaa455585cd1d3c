/** `dllm mine` for pay as people run it: keys of a wallet, a node of its own, modes, and what is typed wrongly. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LeaseView, MinerView, PlacementView } from '../../src/app/chain/market-access.ts'
import type { WhyReport } from '../../src/app/mining/plan-posts.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { driverEnvironment, GPU_DRIVERS, noteMissingDrivers } from '../gpu-drivers.ts'
import { greedyText } from '../model-versions.ts'
import { createLab, NETWORK, readyNode, startNode, TIMEOUTS } from './chain-lab.ts'
import { makeWallet, passwordFileOf } from './cheap-wallet.ts'
import { createDllm, type Dllm, processesOf, type Started } from './dllm.ts'

const dllm = createDllm()
/** Another machine: it has the network's file and a wallet. */
const other = createDllm()
const PASSWORD = ['--password-file', passwordFileOf(dllm)]
const PARAMETERS = [...TIMEOUTS, 'priceMin=40000', 'disputeBlocks=8']
const SERVE = ['--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--network', NETWORK]
const running: Started[] = []
const PROMPT = 'Once upon a time'
const TOKENS = 12

/** Serves segment 2, unless others are named. */
function mine(on: Dllm, ...args: readonly string[]): Started {
  const segments = args.includes('--segments') ? [] : ['--segments', '2']
  const started = on.start(['mine', ...SERVE, ...segments, ...args])
  running.push(started)
  return started
}

async function end(started: Started): Promise<void> {
  started.child.kill('SIGTERM')
  await started.ended
}

async function miners(): Promise<readonly MinerView[]> {
  return (await dllm.json<{ miners: MinerView[] }>(['chain', 'miners', '--network', NETWORK])).miners
}

/** The operator's address, as the miner says it when it has no money. */
async function fund(started: Started): Promise<string> {
  const said = await started.printed(/dllm wallet send [\d.]+ \w+ /)
  const [, amount, address] = /dllm wallet send ([\d.]+) (\w+) /.exec(said)!
  const sent = await dllm.run(['wallet', 'send', amount!, address!, '--yes', '--network', NETWORK, ...PASSWORD])
  expect({ code: sent.code, stderr: sent.code === 0 ? '' : sent.stderr }).toEqual({ code: 0, stderr: '' })
  return address!
}

beforeAll(async () => {
  await createLab(dllm, 1, PARAMETERS)
  const node = startNode(dllm, 'lab-1')
  running.push(node)
  await readyNode(dllm, 'lab-1', node)
  mkdirSync(join(other.home, 'networks'), { recursive: true })
  cpSync(join(dllm.home, 'networks', `${NETWORK}.json`), join(other.home, 'networks', `${NETWORK}.json`))
  writeFileSync(join(other.home, 'networks', 'plain.json'), JSON.stringify({ id: 'plain' }))
  await makeWallet(other)
})
afterAll(async () => {
  await Promise.all(running.map(end))
  await other.cleanUp()
  await dllm.cleanUp()
})

describe('with a node on this machine', () => {
  test('a miner without money says what to send, registers, offers, pauses, resumes, and drains', async () => {
    const miner = mine(dllm, '--wallet', 'default', '--account', '4', '--name', 'first', '--slots', '1', ...PASSWORD)
    const address = await fund(miner)
    const said = await miner.printed(/Offers segment 2, 1 lease at once, for what the price gives\.\n/)
    expect(said).toMatch(/Registered as a miner with a deposit of [\d.]+ DLLM\. Pay goes to ldllm1/)
    expect(await miners()).toMatchObject([{ address, status: 'active', device: 'cpu' }])
    const { placements } = await dllm.json<{ placements: PlacementView[] }>([
      ...['chain', 'models', 'genesis', '--network', NETWORK],
    ])
    expect(placements).toMatchObject([{ operator: address, first: 1, end: 2, slots: 1, live: true }])

    const paused = await dllm.run(['mine', 'pause', '--name', 'first'])
    expect(paused).toMatchObject({ code: 0, stdout: expect.stringContaining('It sees this within a second.') })
    await miner.printed(/The placement has ended/)
    expect(await dllm.json(['mine', 'pause', '--name', 'first'])).toEqual({
      ...{ name: 'first', mode: 'pause', before: 'pause', running: true },
    })
    expect(await dllm.json(['mine', 'resume', '--name', 'first'])).toMatchObject({ mode: 'run', before: 'pause' })
    await miner.printed(/The placement has ended[\s\S]*Offers segment 2/)
    expect((await dllm.run(['mine', 'drain', '--name', 'first'])).code).toBe(0)
    const { code, stdout } = await miner.ended
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/Drained: [\s\S]*\nEnded after 0 steps/),
    })
    expect(await miners()).toEqual([])
  })

  test('a miner tells programs what it does as NDJSON, is seen on the chain by who asks why, and ends its placement with itself', async () => {
    const miner = mine(dllm, '--wallet', 'default', '--name', 'second', '--account', '3', '--json', ...PASSWORD)
    await fund(miner)
    await miner.printed(/"event":"state","timeMs":\d+,"text":"Offers segment 2/)
    for (const [name, owners, now] of [
      ['second', 0, { first: 1, end: 2 }],
      ['another', 1, undefined],
    ] as const) {
      const { models } = await dllm.json<WhyReport>(['mine', '--why', '--network', NETWORK, '--name', name])
      expect(models).toMatchObject([{ model: 'genesis', source: 'chain', chosen: { first: 0, end: 6 } }])
      expect([models[0]!.now, models[0]!.segments[1]!.owners]).toEqual([now, owners])
    }
    miner.child.kill('SIGINT')
    const { code, stdout } = await miner.ended
    const lines = stdout.trim().split('\n')
    const values = lines.map((line) => JSON.parse(line) as { type: string })
    expect({ code, last: values.at(-1) }).toMatchObject({ code: 0, last: { type: 'ended' } })
    expect(values.filter(({ type }) => type === 'mining').length).toBeGreaterThanOrEqual(3)
  })
})

noteMissingDrivers()
const [lavapipe] = GPU_DRIVERS.filter(({ name }) => name === 'lavapipe')

test.skipIf(lavapipe === undefined)(
  'a miner on a GPU, a software one that was allowed, serves a lease and is paid for exact text',
  async () => {
    const before = { ...process.env }
    Object.assign(process.env, driverEnvironment([lavapipe!]))
    const onGpu = ['--gpu', '0', '--allow-software-gpu', '--segments', '1-6']
    const miner = mine(dllm, '--wallet', 'default', '--name', 'gpu', '--account', '6', ...onGpu, ...PASSWORD)
    process.env = before
    const address = await fund(miner)
    await miner.printed(/with webgpu on llvmpipe[\s\S]*Offers segments 1 to 6,/)
    // Registered as what it is: a driver that computes on the processor.
    expect((await miners()).find((each) => each.address === address)).toMatchObject({ device: 'cpu' })
    const choice = [
      '--network',
      NETWORK,
      '--model',
      'genesis',
      '--temperature',
      '0',
      '--repetition-penalty',
      '1',
      '--max-tokens',
      String(TOKENS),
    ]
    const { code, stdout, stderr } = await dllm.run(['chat', PROMPT, ...choice, '--wallet', 'default', ...PASSWORD])
    const text = await greedyText(openModelStore({ home: dllm.home }).find('genesis'), PROMPT, TOKENS)
    expect({ code, stdout: stdout.trim(), stderr: code === 0 ? '' : stderr }).toEqual({
      code: 0,
      stdout: text.trim(),
      stderr: '',
    })
    const paying = ['--network', NETWORK, '--wallet', 'default', ...PASSWORD]
    const { leases } = await dllm.json<{ leases: LeaseView[] }>(['lease', 'list', ...paying])
    await dllm.json(['lease', 'close', leases[0]!.id, '--yes', ...paying])
    await miner.printed(/Paid [\d.]+ DLLM for /)
    await end(miner)
  },
)

test('without a node it starts one, waits for it, and takes it along at the end, also after it was killed', async () => {
  const far = ['--wallet', 'default', '--name', 'far', ...PASSWORD]
  const miner = mine(other, ...far)
  await miner.printed(/Starting one, which ends with this miner: `dllm node --network lab --name far-node`/)
  const address = await fund(miner)
  await miner.printed(/Offers segment 2,/)
  expect((await miners()).map((each) => each.address)).toContain(address)
  const [node, ...more] = processesOf('far-node')
  expect(more).toEqual([])
  miner.child.kill('SIGKILL')
  await miner.ended
  expect(processesOf('far-node')).toEqual([node])
  const next = mine(other, ...far)
  await next.printed(/Offers segment 2,/)
  expect(processesOf('far-node')).toEqual([node])
  await end(next)
  expect((await next.ended).code).toBe(0)
  expect(processesOf('far-node')).toEqual([])
})

describe('refuses with a code and a sentence', () => {
  const WALLET = ['--wallet', 'default', ...PASSWORD]

  test.each([
    ['a bid without a wallet', ['--bid', '3'], 2, 'USAGE'],
    ['to be free without a wallet', ['--free'], 2, 'USAGE'],
    ['no slots', ['--slots', '0', ...WALLET], 2, 'USAGE'],
    ['a bid that is no number', ['--bid', 'much', ...WALLET], 2, 'AMOUNT_BAD'],
    ['a deposit with too many digits', ['--deposit', '1.0000000001', ...WALLET], 2, 'AMOUNT_TOO_PRECISE'],
    [
      'a payout account of another network',
      ['--payout', 'dllm1nh99ljy9n8t3kr46r4phg3xhx5kgrdy0cwxkhr9', ...WALLET],
      2,
      'ADDRESS_',
    ],
    ['a wallet that is not there', ['--wallet', 'nobody', ...PASSWORD], 1, 'WALLET_NOT_FOUND'],
    ['a network without a chain', ['--network', 'plain', ...WALLET], 3, 'NETWORK_NO_CHAIN'],
    ['two sources of the password', ['--password-fd', '0', ...WALLET], 2, 'USAGE'],
  ] as const)('%s', async (_case, args, code, name) => {
    const [on, network] = args.some((word) => word === '--network') ? [other, []] : [dllm, ['--network', NETWORK]]
    const { code: found, stdout, stderr } = await on.runWarm(['mine', ...network, '--segments', '1', ...args])
    expect({ found, stderr: stderr.includes(`(${name}`) ? name : stdout + stderr }).toEqual({
      found: code,
      stderr: name,
    })
    expect(stderr).not.toContain('    at ')
  })

  test.each(['pause', 'resume', 'drain'])('to %s a miner that is not there', async (word) => {
    const { code, stderr } = await dllm.run(['mine', word, '--name', 'nobody'])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('(MINER_UNKNOWN)') })
  })
})
