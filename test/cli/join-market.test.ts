/** A machine with an empty disk and a wallet joins a market by the name of a model that only the chain knows, and serves a lease with exact outputs. */
import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LeaseView, MinerView } from '../../src/app/chain/market-access.ts'
import { openHome } from '../../src/app/home.ts'
import { modelsFolder, openModelStore } from '../../src/app/model-store.ts'
import { missingFiles } from '../../src/app/shards/model-files.ts'
import { createSwarmHomes, MODEL_NAME } from '../swarm-homes.ts'
import { createLab, NETWORK, readyNode, startNode } from './chain-lab.ts'
import { makeWallet } from './cheap-wallet.ts'
import { createDllm, type Dllm, type Started } from './dllm.ts'

const TIMEOUT_MS = 240_000
const dllm = createDllm()
/** Another machine. */
const other = createDllm()
const homes = await createSwarmHomes(6)
const PASSWORD = ['--password-file', join(dllm.home, '..', 'password')]
const PARAMETERS = ['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=200', 'priceMin=12', 'disputeBlocks=8']
const running: Started[] = []

function mine(on: Dllm, ...args: readonly string[]): Started {
  const where = ['--network', NETWORK, '--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--model', MODEL_NAME]
  const started = on.start(['mine', ...where, ...args])
  running.push(started)
  return started
}

/** Sends what the miner says that it lacks. */
async function fund(started: Started): Promise<string> {
  const said = await started.printed(/dllm wallet send [\d.]+ \w+ /)
  const [, amount, address] = /dllm wallet send ([\d.]+) (\w+) /.exec(said)!
  const sent = await dllm.run(['wallet', 'send', amount!, address!, '--yes', '--network', NETWORK, ...PASSWORD])
  expect({ code: sent.code, stderr: sent.code === 0 ? '' : sent.stderr }).toEqual({ code: 0, stderr: '' })
  return address!
}

interface Said {
  readonly text: string
  readonly lease?: string
}

async function chat(...args: readonly string[]): Promise<Said> {
  const flags = ['--network', NETWORK, '--model', MODEL_NAME, '--temperature', '0', '--max-tokens', '6', '--json']
  const { code, stdout, stderr } = await dllm.run(['chat', 'Once upon a time', ...flags, ...args])
  expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Said
}

beforeAll(async () => {
  const { path } = await openHome({ path: dllm.home })
  await cp(modelsFolder((await homes.full()).path), modelsFolder(path), { recursive: true })
  await createLab(dllm, 1, PARAMETERS, ['--model', MODEL_NAME])
  const node = startNode(dllm, 'lab-1')
  running.push(node)
  await readyNode(dllm, 'lab-1', node)
  await mkdir(join(other.home, 'networks'), { recursive: true })
  await cp(join(dllm.home, 'networks', `${NETWORK}.json`), join(other.home, 'networks', `${NETWORK}.json`))
  await makeWallet(other)
}, TIMEOUT_MS)
afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(({ ended }) => ended))
  await homes.close()
  await other.cleanUp()
  await dllm.cleanUp()
})

test('a machine that has nothing of a model joins its market', { timeout: TIMEOUT_MS }, async () => {
  const first = mine(dllm)
  await first.printed(/Ctrl-C ends it/)
  const expected = await chat('--free')

  const joiner = mine(other, '--wallet', 'default', '--no-audit', '--slots', '1', ...PASSWORD)
  const said = await joiner.printed(/Fetched [\d.]+ MiB from \d peers?\.\n/)
  expect(said).toContain(`There is no model ${MODEL_NAME} here. Asking the network ${NETWORK} for it.`)
  expect(said).toContain(`Fetching what is missing of segments 1-${homes.model.manifest.segments.length}`)
  const operator = await fund(joiner)
  await joiner.printed(/Offers segments 1 to \d+, 1 lease at once/)
  const model = openModelStore({ home: other.home }).find(MODEL_NAME)
  expect({ hash: model.hash, missing: missingFiles(model, 0, model.manifest.segments.length) }).toEqual({
    ...{ hash: homes.model.hash, missing: [] },
  })
  expect((await readdir(join(other.home, 'shards'))).filter((name) => /\.(part|have)$/.test(name))).toEqual([])

  first.child.kill('SIGINT')
  await first.ended
  const paid = await chat('--wallet', 'default', ...PASSWORD)
  expect(paid.text).toBe(expected.text)
  const lease = await dllm.json<LeaseView>(['lease', 'show', paid.lease!, '--network', NETWORK])
  expect(lease.lots.map((lot) => lot.operator)).toEqual([operator])
  const { miners } = await dllm.json<{ miners: MinerView[] }>(['chain', 'miners', '--network', NETWORK])
  expect(miners.map(({ address }) => address)).toContain(operator)
})
