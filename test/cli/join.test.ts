/**
 * A machine with an empty disk joins the market of a model that only the chain knows, which four miners serve, while one of them dies, one serves damaged
 * chunks, and it is itself killed twice on the way; then another miner is lost, the newcomer serves in its place, and somebody who is one too many elsewhere
 * moves. DLLM_JOIN_MB: size of the model.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SettlementView } from '../../src/app/chain/earnings-access.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { missingFiles } from '../../src/app/shards/model-files.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import { greedyText } from '../model-versions.ts'
import { MODEL_NAME } from '../swarm-homes.ts'
import { kill } from './chain-lab.ts'
import type { Started } from './dllm.ts'
import { createJoinWorld, endsOf, type JoinWorld, PROMPT, roomForBothEnds, TOKENS } from './join-world.ts'

const TIMEOUT_MS = 300_000
const MEGABYTES = Number(process.env['DLLM_JOIN_MB'] ?? 24)
const MIB_PER_SECOND = Math.max(3, Math.round(MEGABYTES / 12))
/** Of a small model, what comes twice: of each run the damaged chunk, over the link and over the channel, and what was on its way at its end. */
const LOST_CHUNKS = MEGABYTES < 300 ? 3 * 4 : 0
const PARAMETERS = [
  // Two blocks a second: everybody here follows them.
  ...['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=400', 'epochBlocks=600', 'disputeBlocks=4'],
  // Who is lost is missed after 10 to 30 blocks, and who may move looks every 15 to 45.
  'placementBlocks=30',
  // What a lease of one answer pays is worth its claim.
  ...['priceMin=12', 'baseFeeMin=10'],
]
/** Accounts, each of a miner. */
const [STAYING, BAD, FREE, LOST, NEW] = [1, 2, 3, 4, 5]

let world: JoinWorld
let expected: string
let bad: Started
let lost: Started
/** Of both. */
let addresses: readonly string[]

interface Fetching {
  readonly type: string
  readonly doneBytes: number
  readonly totalBytes: number
  readonly keptBytes: number
  readonly receivedBytes: number
  readonly banned: number
  readonly from: readonly { readonly peer: string; readonly bytes: number }[]
}

function fetchings(text: string): Fetching[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{"type":"fetching"') && line.endsWith('}'))
  return lines.map((line) => JSON.parse(line) as Fetching)
}

/** Waits until so much is here, and gives the last that was said. */
async function untilDone(started: Started, share: number): Promise<Fetching> {
  for (let from = 0; ; ) {
    const said = await started.printed(/"type":"fetching".*\n/, from)
    from = said.length
    const last = fetchings(said).at(-1)!
    if (last.doneBytes >= share * last.totalBytes) return last
  }
}

/** Gives what it said until the chain had it placed. */
function offered(started: Started): Promise<string> {
  return started.printed(/"event":"state","timeMs":\d+,"text":"Offers/)
}

beforeAll(async () => {
  world = await createJoinWorld(MEGABYTES, { accounts: NEW, parameters: PARAMETERS })
  const { model, startMiner, owners } = world
  const { low, high } = endsOf(model)
  const count = model.manifest.segments.length
  const staying = startMiner({ account: STAYING, segments: [low[1] + 1, count] })
  bad = startMiner({ account: BAD, segments: low, isBad: true })
  lost = startMiner({ account: LOST, segments: [1, high[0] - 1] })
  const said = await Promise.all([bad, lost, staying].map(offered))
  addresses = said.slice(0, 2).map((text) => /\/ip4\/[^"]+/.exec(text)![0])
  await offered(startMiner({ account: FREE, more: roomForBothEnds(model) }))
  expect((await owners()).map(({ length }) => length)).toEqual(model.manifest.segments.map(() => 2))
  expected = await greedyText(model, PROMPT, TOKENS)
}, TIMEOUT_MS)
afterAll(() => world?.close(), TIMEOUT_MS)

test('a machine that has nothing of a model joins its market, whoever is lost and whatever is damaged meanwhile', {
  timeout: TIMEOUT_MS,
}, async () => {
  const { empty, model, startMiner, chat } = world
  const met = addresses.flatMap((address) => ['--bootstrap', address])
  const more = ['--down-mib-s', String(MIB_PER_SECOND), ...met]
  const begin = (): Started => startMiner({ account: NEW, more, isNew: true })
  const fetched: Fetching[] = []
  let joiner = begin()
  await untilDone(joiner, 0.05)
  await kill(lost)
  // With two of each segment it takes nothing along.
  const meanwhile = chat()
  meanwhile.catch(() => undefined)
  fetched.push(await untilDone(joiner, 0.3))
  await kill(joiner)
  joiner = begin()
  fetched.push(await untilDone(joiner, 0.65))
  await kill(joiner)
  joiner = begin()
  const said = await offered(joiner)
  fetched.push(...fetchings(said).slice(-1))
  const { segments } = model.manifest
  expect(said).toContain(`Offers segments 1 to ${segments.length}, `)
  expect((await meanwhile).text).toBe(expected)

  const bytes = segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  const received = fetched.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  const peers = new Set(fetched.flatMap(({ from }) => from.map(({ peer }) => peer)))
  console.info(`${bytes} bytes, ${received} received (${(received / bytes).toFixed(4)}), from ${peers.size} peers`)
  expect(fetched.at(-1)!.totalBytes).toBeLessThanOrEqual(bytes)
  expect(fetched[1]!.keptBytes).toBeGreaterThan(0)
  expect(received - bytes).toBeLessThanOrEqual(Math.max(0.03 * bytes, LOST_CHUNKS * CHUNK_BYTES))
  expect(peers.size).toBeGreaterThanOrEqual(3)
  expect(fetched.some(({ banned }) => banned > 0)).toBe(true)
  const stored = openModelStore({ home: empty.home }).find(MODEL_NAME)
  expect([stored.hash, missingFiles(stored, 0, segments.length)]).toEqual([model.hash, []])
  // Notes of a file that was whole when it was killed go with a collection.
  expect((await readdir(join(empty.home, 'shards'))).filter((name) => name.endsWith('.part'))).toEqual([])
})

test('a lost miner leaves every segment served by the newcomer, and another moves in its place', {
  timeout: TIMEOUT_MS,
}, async () => {
  const { chain, model, operator, chat, closeLease, owners, until } = world
  const { low } = endsOf(model)
  await kill(bad)
  const { text, lease } = await chat()
  expect(text).toBe(expected)
  const isNew = (lot: { readonly operator: string; readonly first: number; readonly end: number }): boolean =>
    lot.operator === operator(NEW) && lot.first === 0 && lot.end >= low[1]
  expect(lease.lots.filter(isNew)).toHaveLength(1)
  await closeLease(lease.id)

  await until(async () => {
    const there = (await owners()).map((all) => all.filter((each) => ![BAD, LOST].map(operator).includes(each)))
    const fewest = Math.min(...there.map(({ length }) => length))
    expect(fewest).toBeGreaterThan(0)
    return fewest === 2
  })
  const placements = await chain.call('dllm_placements', { model: model.hash })
  expect(placements.find((placement) => placement.operator === operator(FREE))).toMatchObject({ first: 0 })

  let settled: SettlementView | undefined
  await until(async () => {
    settled = (await chain.call('dllm_settlement', { id: lease.id })).settlement
    return settled !== undefined
  })
  const { state, pay } = settled!.lots.find(isNew)!
  expect([state, BigInt(pay) > 0n]).toEqual(['claimed', true])
})
