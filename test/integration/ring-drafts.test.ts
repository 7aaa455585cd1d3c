/** Drafts change nothing but the time: tokens, logits, what is paid and what is digested are those without them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash, milliseconds } from '../../src/base/brand.ts'
import type { Clock } from '../../src/base/ports.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import { encodeStageMessage } from '../../src/net/protocols/stage.ts'
import type { Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createMarket, leaseFor, type Market, minerKeys, openPaid, paidIn } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, silent } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 125, endTokens: [48] })
const PROMPT = Array.from({ length: 40 }, (_, index) => (index * 7) % 12)
const { clock } = createSystem()

const SETTINGS: readonly [string, Partial<Generation>][] = [
  ['the likeliest tokens', { temperature: 0, maxTokens: 50 }],
  ['tokens drawn of five', { temperature: 1, topK: 5, seed: 11n, maxTokens: 50 }],
  ['a penalty for what was said', { temperature: 0.4, topP: 0.9, repetitionPenalty: 1.2, seed: 4n, maxTokens: 50 }],
  ['a full context', { temperature: 0, maxTokens: 1_000 }],
]

type Wiring = () => (listen: boolean, index?: number) => Promise<Wire>

/** Far apart, so that drafts pay. */
const memoryWiring: Wiring = () => {
  const calm = { newsLoss: 0, newsDuplication: 0, channelCut: 0 }
  const network = createMemoryNetwork({ clock }, { seed: 1n, delayMs: { least: 2, most: 2 }, ...calm })
  return async (listen, index) =>
    network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer })
}

const tcpWiring: Wiring = () => (listen, index) => {
  const options = { networkId: 'drafts', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht: false }
  const key = index === undefined ? {} : { privateKey: minerKeys(index).privateKey }
  return createLibp2pWire({ ...options, ...key }, { clock, log: silent })
}

let market: Market
let world: RingWorld

/** Miners for whom a millisecond passes whenever they look at the time: what pays follows from how often that is, and not from how busy the machine is. */
function countingClock(): Clock {
  let looks = 0
  return { ...clock, now: () => milliseconds(++looks) }
}

async function start(wiring: Wiring, split: readonly number[], hasDraftModel = false): Promise<void> {
  market = await createMarket()
  world = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split,
    createWire: wiring(),
    engine: createReferenceEngine,
    desk: (index) => market.desk(index),
    clock: countingClock(),
    hasDraftModel,
  })
}

afterEach(async () => {
  await world.close()
  await market.close()
})

/** One answer after the other. */
async function answers(session: RingSession, draftsMax?: number, count = SETTINGS.length) {
  const found = []
  for (const [, settings] of SETTINGS.slice(0, count)) {
    session.rewind(0)
    const generation = { ...GREEDY, ...settings }
    found.push(await collect(session, PROMPT, { generation, ...(draftsMax === undefined ? {} : { draftsMax }) }))
  }
  return found
}

async function draftsOf(session: RingSession) {
  const all = await session.statistics()
  return all.map(({ drafts, draftsKept }) => ({ drafts, draftsKept }))
}

function leaseOf(id: string): OpenLease {
  const lease = leaseFor(world, { id: hash(id.repeat(32)) })
  market.leases.set(lease.id, { ok: true, lease })
  return lease
}

async function allFree(): Promise<void> {
  while (world.miners.some(({ server }) => server.sessionCount > 0))
    await new Promise((resolve) => setImmediate(resolve))
}

describe.each<[string, Wiring, number[], boolean]>([
  ['three stages far apart', memoryWiring, [1, 1, 1], true],
  ['three stages over TCP', tcpWiring, [1, 1, 1], false],
  ['one stage', memoryWiring, [3], false],
])('%s', (_name, wiring, split, isFar) => {
  const count = isFar ? SETTINGS.length : 2

  beforeEach(() => start(wiring, split))

  test('give the same with drafts as without, and cost the same', async () => {
    const [without, with_] = [leaseOf('22'), leaseOf('33')]
    const off = await openPaid(world, market, { lease: without, capacity: CONFIG.contextLength })
    const plain = await answers(off, 0, count)
    expect(await draftsOf(off)).toEqual(split.map(() => ({ drafts: 0, draftsKept: 0 })))
    await off.close()
    const on = await openPaid(world, market, { lease: with_, capacity: CONFIG.contextLength })
    expect(await answers(on, undefined, count)).toEqual(plain)
    const drafts = await draftsOf(on)
    if (isFar) for (const each of drafts) expect(each.draftsKept).toBeGreaterThan(20)
    if (isFar) expect(drafts[0]!.drafts).toBeGreaterThan(drafts[0]!.draftsKept)
    expect(new Set(drafts.map((each) => each.drafts)).size).toBe(1)
    await on.close()
    await allFree()
    const [paidOff, paidOn] = [await paidIn(market, without), await paidIn(market, with_)]
    expect(paidOn).toEqual(paidOff)
    expect(paidOn[0]!.receipts.length).toBeGreaterThan(0)
    expect((await market.store.newest(with_.id))?.counters).toEqual(paidOff[0]!.counters)
  })
})

test('turns that are broken off in the middle of drafts are counted alike by all', async () => {
  await start(memoryWiring, [1, 1, 1])
  const lease = leaseOf('44')
  const session = await openPaid(world, market, { lease, capacity: CONFIG.contextLength })
  const free = await world.open(CONFIG.contextLength)
  const generation = { ...GREEDY, temperature: 0.8, topK: 4, maxTokens: 40 }
  const story = async (of: RingSession): Promise<number[]> => {
    const said: number[] = []
    for (let turn = 0; turn < 8; turn++) {
      let left = turn % 2 === 0 ? 5 + 3 * turn : 1_000
      for await (const event of of.generate(PROMPT.slice(0, 9), { generation, chunkTokens: 4 })) {
        if (event.type === 'token') said.push(event.token)
        if (--left === 0) break
      }
      of.rewind(Math.min(60, of.tokens.length))
    }
    return said
  }
  expect(await story(session)).toEqual(await story(free))
  expect((await draftsOf(session))[0]!.drafts).toBeGreaterThan(0)
  await session.close()
  await free.close()
  await allFree()
  const { counters } = (await market.store.newest(lease.id))!
  const lots = await paidIn(market, lease)
  for (const lot of lots) expect(lot.counters).toEqual(counters)
  for (const [index, { receipts }] of lots.entries()) {
    for (const [window, { outDigest }] of receipts.entries()) {
      const next = lots[index + 1]?.receipts[window]
      if (next !== undefined) expect(next.inDigest).toBe(outDigest)
    }
  }
})

/** The client of a ring whose first stage never hears of a cancel: as if it were always late. */
function lateCancels({ client, route }: RingWorld): Wire {
  const [first] = route.stages
  return {
    ...client,
    async open(...asked) {
      const channel = await client.open(...asked)
      if (channel.peer !== first!.peer) return channel
      const cancel = encodeStageMessage({ type: 'cancel', turn: 0 })[0]
      return new Proxy(channel, {
        get(target, key) {
          if (key === 'send') return (bytes: Uint8Array) => (bytes[0] === cancel ? undefined : target.send(bytes))
          const value: unknown = Reflect.get(target, key, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

test('stage 1 goes on from no token that nobody heard of, where the tail heard of a cancel first', async () => {
  await start(memoryWiring, [1, 2])
  const late = { ...world, client: lateCancels(world) }
  const session = await openPaid(late, market, { lease: leaseOf('55'), capacity: CONFIG.contextLength })
  for (let turn = 0; turn < 6; turn++) {
    let left = 12 + turn
    for await (const _event of session.generate(PROMPT, { generation: { ...GREEDY, maxTokens: 60 } })) {
      if (--left === 0) break
    }
    // Time for what is on its way round the ring.
    await session.statistics()
    await session.statistics()
    session.rewind(0)
  }
  expect((await draftsOf(session))[0]!.drafts).toBeGreaterThan(0)
  await session.close()
})

test('a model that says the same drafts nearly all of it, and changes nothing', async () => {
  await start(memoryWiring, [1, 1, 1], true)
  const session = await world.open(CONFIG.contextLength)
  const plain = await answers(session, 0, 3)
  const before = (await session.statistics())[0]!
  expect(await answers(session, undefined, 3)).toEqual(plain)
  const { steps, drafts, draftsKept } = (await session.statistics())[0]!
  expect(drafts).toBeGreaterThan(40)
  expect(draftsKept).toBeGreaterThan(0.5 * drafts)
  expect(steps - before.steps).toBeLessThan(0.8 * before.steps)
  await session.close()
})
