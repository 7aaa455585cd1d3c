/** A version of a model is published, voted in, served and activated by commands, on a chain with one validator. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { TransactionView } from '../../src/app/chain/chain-access.ts'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import type { ModelView } from '../../src/app/chain/market-access.ts'
import type { ModelLivesView } from '../../src/app/chain/model-lives.ts'
import type { ConnectedNode } from '../../src/app/control/connect.ts'
import type { Hash } from '../../src/base/brand.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf, addressOfAccount } from '../../src/core/fields.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { tinyFiles, writeFolder } from '../unit/app/hugging-face-folder.ts'
import { createLab, type Lab, readyNode, startNode } from './chain-lab.ts'
import { createDllm, type Started } from './dllm.ts'
import { callContract, labCommands } from './lab-commands.ts'

const DLLM = 1_000_000_000n
const V2 = 'story-v2'
/** Five blocks a second; a vote takes seven. */
const TIMES = ['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=200', 'epochBlocks=10', 'proposalBlocks=30']
const LIFE = [
  'activationNotice=1',
  'activationRetryBlocks=2',
  'leaseBlocksMax=20',
  'disputeBlocks=2',
  'rollbackBlocks=500',
]
const dllm = createDllm()
const { run, json, text, password: PASSWORD } = labCommands(dllm)

let folder: string
let lab: Lab
let node: Started
let client: ConnectedNode<ChainMethods>
let first: ModelView
let second: Hash
let owner: KeyPair
let miner: KeyPair

const call = (keys: KeyPair, type: number, body: unknown): Promise<bigint> =>
  callContract({ client, lab }, keys, { type, body })

async function untilStatus(model: Hash, status: ModelView['status']): Promise<ModelView> {
  return vi.waitUntil(
    async () => {
      const view = await client.call('dllm_model', { model })
      return view.status === status && view
    },
    { timeout: 40_000, interval: 50 },
  )
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dllm-life-'))
  lab = await createLab(dllm, 1, [...TIMES, ...LIFE])
  const imported = await dllm.run(['model', 'import', writeFolder(folder, tinyFiles()), '--name', V2])
  expect(imported.code).toBe(0)
  node = startNode(dllm, 'lab-1')
  client = await readyNode(dllm, 'lab-1', node)
  first = (await client.call('dllm_models', {}))[0]!
  const keysOf = (account: number): KeyPair => lab.wallet.keys({ network: 'local', role: 'owner', account, index: 0 })
  owner = keysOf(0)
  miner = keysOf(1)
})
afterAll(async () => {
  client.close()
  node.child.kill('SIGTERM')
  await node.ended
  await dllm.cleanUp()
  rmSync(folder, { recursive: true, force: true })
})

test('a version is published with its canary, and waits for a vote', async () => {
  const sent = await json<TransactionView>('model', 'publish', V2, '--supersedes', first.name, ...PASSWORD)
  expect(sent).toMatchObject({
    type: 'register-model',
    body: { name: V2, predecessor: first.model, price: first.price },
  })
  second = sent.body['model'] as Hash
  const { models } = await json<ModelLivesView>('model', 'status', V2)
  expect(models.map(({ model, status }) => [model, status]).toSorted()).toEqual(
    [
      [first.model, 'active'],
      [second, 'published'],
    ].toSorted(),
  )
  expect(models.find(({ model }) => model === second)).toMatchObject({ canary: sent.body['canary'], proposals: [] })
})

test('a vote approves it', async () => {
  const active = await run('model', 'propose', first.name, ...PASSWORD)
  expect(active).toMatchObject({ code: 1, stderr: expect.stringContaining('(MODEL_ACTIVE)') })
  await text('model', 'propose', V2, ...PASSWORD)
  // Not by a command: a busy machine takes the length of a vote for one.
  await call(owner, 7, { proposal: 0, yes: true })
  expect(await text('model', 'status', V2)).toMatch(/Vote {5}proposal 0, until block \d+.*\n.*\n +yes 100 %, no 0 %/)
  expect((await untilStatus(second, 'approved')).dueHeight).toBeGreaterThan(0)
})

test('it becomes active when it is served and its canary passed, and takes the place of the one before', async () => {
  const operator = accountOf(miner.publicKey)
  await text('wallet', 'send', '10', addressOfAccount(operator, 'local'), ...PASSWORD)
  const claim = provePeerKey({ networkId: lab.networkId, operator }, keyPairFromSecret(new Uint8Array(32).fill(90)))
  await call(miner, 10, { payout: operator, device: 'cpu', deposit: 2n * DLLM, ...claim })
  const { height } = await client.call('dllm_head', {})
  const { segments } = await client.call('dllm_model', { model: second })
  await call(miner, 12, {
    ...{ model: second, first: 0, end: segments.length, slots: 1, bid: 0n, until: height + 290, incarnation: 1n },
  })
  const waiting = await text('model', 'status', V2)
  expect(waiting).toContain('approved, becomes active when enough miners serve it\n')
  expect(waiting).toMatch(/passed at 0 miners.*\n +failed at 0 miners/)
  await call(miner, 20, { model: second, passed: true })
  expect(await untilStatus(second, 'active')).toMatchObject({ predecessor: first.model, price: first.price })
  expect(await untilStatus(first.model, 'superseded')).toMatchObject({ successor: second })
  const refused = await run('lease', 'quote', first.name)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(MODEL_SUPERSEDED)') })
  expect(refused.stderr.replaceAll(/\s+/g, ' ')).toContain(V2)
  expect(await text('model', 'status')).toContain('superseded, open leases run to their end\n')
})

test('a superseded one can be proposed again, and the stake says no', async () => {
  await call(owner, 19, { model: first.model, activationHeight: 0 })
  const voted = await json<TransactionView>('model', 'vote', '1', 'no', ...PASSWORD)
  expect(voted).toMatchObject({ type: 'vote-parameters', body: { proposal: 1, yes: false } })
})
