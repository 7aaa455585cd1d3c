/** What was computed for a client is not computed again for it, and nothing else changes: tokens, logits, what is paid, what is digested. */
import { afterEach, expect, test } from 'vitest'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import { accountId, hash } from '../../src/base/brand.ts'
import { PREFIX_LIMITS } from '../../src/base/prefix-limits.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { until } from '../fake-clock.ts'
import { createMarket, leaseFor, type Market, minerKeys, openPaid, paidIn } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, type RingWorldOptions } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 160, layerCount: 4 })
const PROMPT = Array.from({ length: 60 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, maxTokens: 12 }
const OPTIONS = { generation: GENERATION, chunkTokens: 16, draftsMax: 0 }
const system = createSystem()

let network: MemoryNetwork
let market: Market
let world: RingWorld

async function start(options: Partial<RingWorldOptions> = {}): Promise<void> {
  network = createMemoryNetwork()
  market = await createMarket()
  world = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split: [1, 2, 1],
    createWire: async (listen, index) =>
      network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer }),
    engine: createReferenceEngine,
    desk: (index) => market.desk(index),
    ...options,
  })
}

afterEach(async () => {
  await world.close()
  await market.close()
})

const allFree = (miners = world.miners): Promise<void> =>
  until(() => miners.every(({ server }) => server.sessionCount === 0), 'every miner is free')

/** Rows that each stage has computed for a session, and those that it has recalled. */
async function rowsOf(session: RingSession) {
  const all = await session.statistics()
  return { computed: all.map(({ rows }) => rows), recalled: all.map(({ recalled }) => recalled) }
}

/** A session with one turn. */
async function talk(session: RingSession, prompt: readonly number[] = PROMPT, options = OPTIONS) {
  const answer = await collect(session, prompt, options)
  const rows = await rowsOf(session)
  await session.close()
  await allFree()
  return { answer, ...rows }
}

const open = (wire: Wire = world.client, route = world.route): Promise<RingSession> =>
  openRing({ route, capacity: CONFIG.contextLength }, { wire, clock: system.clock, random: system.random })

test('a later session of the same client computes what is new, with the same tokens and logits', async () => {
  await start()
  const first = await talk(await open())
  expect(first.recalled).toEqual([0, 0, 0])
  const again = await talk(await open(), PROMPT, { ...OPTIONS, chunkTokens: 25 })
  expect(again.answer).toEqual(first.answer)
  // The tail draws from its last row anew.
  expect(again.recalled).toEqual([60, 60, 59])
  expect(again.computed).toEqual([11, 11, 12])
  // Rows that were an answer's come back as a prompt's.
  const longer = [...PROMPT, ...first.answer.tokens, 5, 6, 7]
  const on = await talk(await open(), longer)
  expect(on.recalled).toEqual([71, 71, 71])
  const stranger = await talk(await open(await network.createMemoryWire({ listen: false })), longer)
  expect(stranger.recalled).toEqual([0, 0, 0])
  expect(on.answer).toEqual(stranger.answer)
})

test('a session that is taken back to its beginning reads what it has said before from memory', async () => {
  await start()
  const session = await open()
  const first = await collect(session, PROMPT, OPTIONS)
  session.rewind(0)
  expect(await collect(session, PROMPT, OPTIONS)).toEqual(first)
  expect((await rowsOf(session)).recalled).toEqual([60, 60, 59])
  await session.close()
})

test('when a miner is gone, those that stay compute nothing of the session again', async () => {
  await start({ split: [1, 1, 1, 1], hasAll: true })
  const [first, second, third, spare] = world.route.stages
  const routeOver = (middle: typeof first) => ({
    ...world.route,
    stages: [
      { ...first!, firstSegment: 0, lastSegment: 1 },
      { ...middle!, firstSegment: 1, lastSegment: 3 },
      { ...third!, firstSegment: 3, lastSegment: 4 },
    ],
  })
  const broken = await open(world.client, routeOver(second))
  const { tokens } = await collect(broken, PROMPT, OPTIONS)
  await world.miners[1]!.wire.stop()
  await expect(collect(broken, [], OPTIONS)).rejects.toMatchObject({ code: expect.stringContaining('RING_') })
  await allFree([world.miners[0]!, world.miners[2]!])
  const next = await open(world.client, routeOver(spare))
  const rest = await collect(next, [...PROMPT, ...tokens], OPTIONS)
  expect(await rowsOf(next)).toMatchObject({ recalled: [71, 0, 71], computed: [12, 83, 12] })
  await next.close()
  const whole = await open(await network.createMemoryWire({ listen: false }), routeOver(spare))
  expect(await collect(whole, [...PROMPT, ...tokens], OPTIONS)).toEqual(rest)
  await whole.close()
})

function leaseOf(id: string, change: Partial<OpenLease> = {}): OpenLease {
  const lease = leaseFor(world, { id: hash(id.repeat(32)), ...change })
  market.leases.set(lease.id, { ok: true, lease })
  return lease
}

test('over leases of one payer it is the same, and each lease is paid and digested as if all was computed', async () => {
  await start()
  const other = { payer: accountId('dd'.repeat(20)) }
  const capacity = CONFIG.contextLength
  const leases = [leaseOf('33'), leaseOf('44'), leaseOf('55', other)]
  const found = []
  for (const lease of leases) {
    const session = await openPaid(world, market, { lease, capacity })
    const long = await collect(session, [...PROMPT, ...PROMPT.slice(0, 20)], {
      generation: { ...GENERATION, maxTokens: 60 },
    })
    const { recalled } = await rowsOf(session)
    await session.close()
    await allFree()
    found.push({ long, recalled, paid: await paidIn(market, lease) })
  }
  expect(found.map(({ recalled }) => recalled)).toEqual([
    [0, 0, 0],
    [80, 80, 79],
    [0, 0, 0],
  ])
  expect(found[0]!.paid[0]!.receipts.length).toBeGreaterThan(0)
  for (const { long, paid } of found.slice(1)) expect([long, paid]).toEqual([found[0]!.long, found[0]!.paid])
})

test('what goes out for nothing is bounded, over all sessions of a miner, and what is paid is not', async () => {
  // All that a stage passes on of the prompt, once and a half, and then next to nothing.
  const unpaidBytesAtOnce = 1.5 * PROMPT.length * CONFIG.hiddenSize * 4
  await start({ prefixes: { ...PREFIX_LIMITS, unpaidBytesAtOnce, unpaidBytesPerSecond: 1e-6 } })
  const chunks = { ...OPTIONS, chunkTokens: 10 }
  const wires = [world.client, await network.createMemoryWire({ listen: false })]
  const recalled = []
  for (const wire of [...wires, ...wires]) recalled.push((await talk(await open(wire), PROMPT, chunks)).recalled)
  expect(recalled).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [60, 60, 59],
    [30, 30, 59],
  ])
  const capacity = CONFIG.contextLength
  for (const id of ['33', '44']) {
    const session = await openPaid(world, market, { lease: leaseOf(id), capacity })
    recalled.push((await talk(session, PROMPT, chunks)).recalled)
  }
  expect(recalled.slice(4)).toEqual([
    [0, 0, 0],
    [60, 60, 59],
  ])
})

test('miners that end take what they kept with them', async () => {
  await start()
  await talk(await open())
  for (const { server } of world.miners) await server.close()
  await expect(open()).rejects.toMatchObject({ code: 'RING_STAGE_FAILED' })
})
