/**
 * A network rolls from one version of a model to the next while somebody chats all the time, as processes over TCP, each machine with a data folder of
 * its own: no chat fails, no answer mixes versions, only what has changed is fetched, and the room of the old version comes back.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TransactionView } from '../../src/app/chain/chain-access.ts'
import type { SettlementView } from '../../src/app/chain/earnings-access.ts'
import type { ModelLivesView } from '../../src/app/chain/model-lives.ts'
import type { Hash } from '../../src/base/brand.ts'
import { greedyText } from '../model-versions.ts'
import { NETWORK } from './chain-lab.ts'
import type { Started } from './dllm.ts'
import { until } from './market-processes-world.ts'
import { hasTerminal, PROMPTED } from './terminal.ts'
import {
  CHANGED_SEGMENT,
  createUpgradeWorld,
  type PaidAnswer,
  PROMPT,
  storedOn,
  TOKENS,
  type UpgradeWorld,
  V1,
  V2,
} from './upgrade-world.ts'

const TIMEOUT_MS = 420_000
/** Some ten seconds and more: an answer needs one, on a machine that is busy several. */
const LEASE_BLOCKS = 45
const PARAMETERS = [
  // About three blocks a second.
  ...['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=300', 'epochBlocks=8', 'proposalBlocks=18'],
  ...['activationNotice=14', 'activationRetryBlocks=5', 'rollbackBlocks=54'],
  ...[`leaseBlocksMax=${LEASE_BLOCKS}`, 'disputeBlocks=6', 'auditCommitBlocks=3', 'auditRevealBlocks=3'],
  // What a lease of one answer pays is worth its claim.
  ...['priceMin=12', 'baseFeeMin=10'],
]
/** Of V2, once it is leased. */
const ANSWERS_AFTER = 2

let world: UpgradeWorld
let miners: readonly [first: Started, second: Started]

beforeAll(async () => {
  world = await createUpgradeWorld(PARAMETERS)
  const { publisher, newcomer } = world
  miners = await Promise.all([world.startMiner(publisher, 1, '1-3'), world.startMiner(newcomer, 2, '4-6')])
}, TIMEOUT_MS)
afterAll(() => world?.close(), TIMEOUT_MS)

/** Chats, one answer after the other, until it has seen enough. */
async function chatAllTheTime(): Promise<PaidAnswer[]> {
  const answers: PaidAnswer[] = []
  while (answers.filter(({ model }) => model === V2).length < ANSWERS_AFTER) {
    answers.push(await world.chat())
  }
  return answers
}

interface Fetching {
  readonly type: string
  readonly what: string
  readonly totalBytes: number
  readonly keptBytes: number
  readonly receivedBytes: number
}

/** What a miner told last of each download. */
async function fetchedBy(miner: Started): Promise<Map<string, Fetching>> {
  const said = await miner.printed(/^/)
  const lines = said.split('\n').filter((line) => line.startsWith('{"type":"fetching"'))
  return new Map(lines.map((line) => JSON.parse(line) as Fetching).map((event) => [event.what, event]))
}

async function settlementOf(id: Hash): Promise<SettlementView> {
  let found: SettlementView | undefined
  await until(async () => {
    found = (await world.chain.call('dllm_settlement', { id })).settlement
    return found !== undefined
  })
  return found!
}

test('a version takes the place of another while somebody chats', { timeout: TIMEOUT_MS }, async ({ onTestFailed }) => {
  onTestFailed(async () => console.log(await world.told()))
  const [v1, v2] = world.models
  const texts = new Map<string, string>([
    [v1.hash, await greedyText(v1, PROMPT, TOKENS)],
    [v2.hash, await greedyText(v2, PROMPT, TOKENS)],
  ])
  expect(texts.get(v1.hash)).not.toBe(texts.get(v2.hash))
  const chatting = chatAllTheTime()
  // It is looked at below; until then nobody listens.
  chatting.catch(() => undefined)
  const talk = hasTerminal ? world.converse() : undefined
  // One that begins with the old version goes on with the new one when its lease is over.
  await talk?.see(PROMPTED)
  talk?.type(`${PROMPT}\r`)
  const talked = await talk?.see(PROMPTED)
  if (talked !== undefined) expect(talked).toContain(texts.get(v1.hash)!.slice(0, 20))
  const published = await world.pay<TransactionView>('model', 'publish', V2, '--supersedes', V1)
  await world.pay('model', 'propose', V2)
  await world.pay('model', 'vote', '0', 'yes')
  await world.untilModel(v2.hash, (view) => view?.status === 'active')
  const { models } = await world.publisher.json<ModelLivesView>(['model', 'status', V2, '--network', NETWORK])
  expect(models.map(({ name, status }) => [name, status]).toSorted()).toEqual([
    [V1, 'superseded'],
    [V2, 'active'],
  ])
  const answers = await chatting

  // Every answer is of one version, the one that its lease is for, and none goes back.
  for (const { text, lease } of answers) expect(text).toBe(texts.get(lease.model))
  const before = answers.filter(({ model }) => model === V1)
  expect(before.length).toBeGreaterThan(0)
  const leased = answers.toSorted((one, other) => one.lease.openedHeight - other.lease.openedHeight)
  expect(leased.map(({ model }) => model)).toEqual([
    ...before.map(() => V1),
    ...Array.from({ length: ANSWERS_AFTER }, () => V2),
  ])

  // Leases, those of the old version too, ran to their end and were paid.
  for (const { lease } of answers) {
    const { lots, height } = await settlementOf(lease.id)
    expect(height).toBeGreaterThan(lease.expiryHeight)
    expect(lots.map(({ state, pay }) => [state, BigInt(pay) > 0n])).toEqual(lots.map(() => ['claimed', true]))
  }

  talk?.type(' And then\r')
  const followed = await talk?.see(/superseded by [\s\S]*\n[\s\S]*> (?:.\[3G)?$/)
  if (followed !== undefined) expect(followed).toContain(`${V1} was superseded by ${V2}.`)
  if (followed !== undefined) expect(followed).not.toContain('Error:')
  talk?.type('\u0004')
  if (talk !== undefined) expect(await talk.ended).toMatchObject({ code: 0 })

  // Only what has changed came over the wire.
  const own = v2.manifest.segments.slice(3).map(({ shard }) => shard)
  const changed = v2.manifest.segments[CHANGED_SEGMENT]!.shard
  const [byFirst, bySecond] = await Promise.all(miners.map(fetchedBy))
  expect(byFirst!.size).toBe(0)
  expect(bySecond!.get(V1)).toMatchObject({ totalBytes: own.reduce((sum, { bytes }) => sum + bytes, 0), keptBytes: 0 })
  expect(bySecond!.get(V2)).toMatchObject({ totalBytes: changed.bytes, receivedBytes: changed.bytes })

  // The old version retires; what it alone had goes, and what both have stays.
  await Promise.all(miners.map((miner) => miner.printed(/"text":"story has retired; /)))
  const canary = (published.body['canary'] as { root: Hash }).root
  const shared = v2.manifest.files.map(({ root }) => root)
  expect(storedOn(world.newcomer)).toEqual({
    roots: [...own.map(({ root }) => root), ...shared, canary].toSorted(),
    models: [V2],
  })
  expect(storedOn(world.publisher).models).toEqual([V2])
  expect((await world.model(v1.hash))?.status ?? 'gone').toMatch(/^(retired|gone)$/)
})
