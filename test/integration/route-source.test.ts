import { hexToBytes } from '@noble/hashes/utils.js'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createEngineHost } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { createMiner, type Miner } from '../../src/app/miner.ts'
import type { StoredModel } from '../../src/app/model-store.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { createNodeIdentity, type NodeIdentity } from '../../src/app/node-identity.ts'
import { createOfferBook, type OfferBook } from '../../src/app/offers.ts'
import { createOfferRoutes, createPeerDirectory, routeFrom } from '../../src/app/ring/offer-routes.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RouteSource } from '../../src/app/ring/route.ts'
import { askStatus } from '../../src/app/status-service.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash, peerId } from '../../src/base/brand.ts'
import { DEADLINES, SESSION_LIMITS, WIRE_LIMITS } from '../../src/base/limits.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/net/memory-network.ts'
import { type Offer, STATUS_PROTOCOL, STATUS_PROTOCOL_OPTIONS } from '../../src/net/protocols/status.ts'
import type { Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createFakeClock, type FakeClock, until } from '../fake-clock.ts'
import { collect, GREEDY, silent } from './ring-world.ts'

const NETWORK = 'testnet'
const { random } = createSystem()
const config = smallConfig()
const weights = randomWeights({ config, format: 'q8', seed: 3 })
let identities: NodeIdentity[]

/** A model of three segments that lies nowhere: the manifest of genesis with another shape. */
function threeSegments(): StoredModel {
  const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
  const segments = [0, 1, 2].map((index) => ({
    ...genesis.manifest.segments[index]!,
    ...{ firstLayer: index, lastLayer: index + 1, hasEmbedding: index === 0, hasHead: index === 2 },
  }))
  return { ...genesis, manifest: { ...genesis.manifest, config, segments }, hash: hash('ab'.repeat(32)) }
}
const model = threeSegments()

let network: MemoryNetwork
let clock: FakeClock
let miners: Miner[]
let wires: Wire[]
let client: Wire
let book: OfferBook
let routes: RouteSource

beforeAll(async () => {
  identities = await Promise.all([0, 1, 2].map(() => createNodeIdentity(random)))
})

/** Serves segment `index`; knows the first miner to begin with. */
async function startMiner(index: number, lastSegment = index + 1): Promise<Miner> {
  const identity = identities[index]!
  const wire = network.createMemoryWire({ listen: true, peer: identity.peer })
  wires[index] = wire
  const range = {
    firstLayer: index,
    lastLayer: lastSegment,
    hasEmbedding: index === 0,
    hasHead: lastSegment === 3,
  }
  const stage = createReferenceEngine().createStage({ config, range, weights, cacheBytesMax: 1 << 26 })
  const host = createEngineHost(createInlineRunner('reference', stage, { clock }), { clock })
  const bootstrap = index === 0 ? [] : [`/memory/${identities[0]!.peer}`]
  const posts = [{ model, firstSegment: index, lastSegment, host, device: 'reference' }]
  const miner = await createMiner({ identity, networkId: NETWORK, bootstrap, posts }, { wire, clock, log: silent })
  miners[index] = miner
  return miner
}

function startClient(networkId = NETWORK): void {
  client = network.createMemoryWire({ listen: false })
  book = createOfferBook(networkId, { clock })
  const bootstrap = [`/memory/${identities[0]!.peer}`]
  const directory = createPeerDirectory({ networkId, bootstrap }, { wire: client, clock, log: silent, book })
  routes = createOfferRoutes(directory, { wire: client, book })
}

/** The first miner has heard of so many others. */
async function heard(count: number): Promise<void> {
  await until(() => miners[0]!.status().offers.length === count + 1, `${count} miners have told`)
}

beforeEach(() => {
  clock = createFakeClock()
  network = createMemoryNetwork()
  miners = []
  wires = []
})
afterEach(async () => {
  await client?.stop()
  await Promise.all(miners.map((miner) => miner.close()))
})

async function startAll(): Promise<void> {
  for (const index of [0, 1, 2]) await startMiner(index)
  // Miners ask, they do not push: the first one hears of the others in its next round.
  clock.advance(10_000)
  await heard(2)
  startClient()
}

describe('a client that knows one miner', () => {
  test('hears of the others from it, and gets text from all of them', async () => {
    await startAll()
    const route = await routes.findRoute(model.hash)
    expect(route.stages.map(({ peer, firstSegment }) => [peer, firstSegment])).toEqual(
      identities.map(({ peer }, index) => [peer, index]),
    )
    const ring = await openRing({ route, capacity: 32 }, { wire: client, clock, random })
    const { tokens } = await collect(ring, [1, 2, 3], { generation: { ...GREEDY, maxTokens: 4 } })
    expect(tokens).toHaveLength(4)
    await ring.close()
  })

  test('by the DHT alone asks those itself of whom it is told: what others know of them may be old', async () => {
    await startAll()
    const found = hash('cd'.repeat(32))
    await wires[0]!.provide(hexToBytes(found))
    const directory = createPeerDirectory(
      { networkId: NETWORK, bootstrap: [] },
      { wire: client, clock, log: silent, book },
    )
    expect(await directory.refresh()).toEqual([])
    const asked = await directory.search(found)
    expect(asked.map(({ peer }) => peer).sort()).toEqual(identities.map(({ peer }) => peer).sort())
  })

  test('is told which segment nobody serves', async () => {
    await startMiner(0)
    await startMiner(2)
    clock.advance(10_000)
    await heard(1)
    startClient()
    await expect(routes.findRoute(model.hash)).rejects.toMatchObject({
      code: 'RING_NO_ROUTE',
      message: expect.stringContaining('segment 2 of 3'),
    })
  })

  test('is told that nobody serves another model', async () => {
    await startAll()
    await expect(routes.findRoute(hash('cd'.repeat(32)))).rejects.toMatchObject({ code: 'RING_NO_ROUTE' })
  })

  test('no longer hears of a miner that left, once its offer is too old', async () => {
    await startAll()
    await routes.findRoute(model.hash)
    network.kill(identities[1]!.peer)
    clock.advance(DEADLINES.offerMs - 11_000)
    expect(book.list()).toHaveLength(3)
    clock.advance(12_000)
    await until(() => miners[0]!.status().offers.length === 2, 'the first miner has forgotten it')
    await expect(routes.findRoute(model.hash)).rejects.toMatchObject({
      code: 'RING_NO_ROUTE',
      message: expect.stringContaining('segment 2 of 3'),
    })
  })

  test('is told when every miner is full', async () => {
    await startMiner(0, 3)
    startClient()
    const route = await routes.findRoute(model.hash)
    const ports = { wire: client, clock, random }
    const sessions = Array.from({ length: SESSION_LIMITS.sessionsMax }, () => openRing({ route, capacity: 1 }, ports))
    const open = await Promise.all(sessions)
    await expect(routes.findRoute(model.hash)).rejects.toMatchObject({
      code: 'RING_NO_ROUTE',
      message: expect.stringContaining('full'),
    })
    await open.pop()!.close()
    await until(() => miners[0]!.server.sessionCount < SESSION_LIMITS.sessionsMax, 'one session is free')
    expect((await routes.findRoute(model.hash)).stages).toHaveLength(1)
    await Promise.all(open.map((session) => session.close()))
  })

  test('of another network is told so, and finds nothing', async () => {
    await startMiner(0, 3)
    startClient('othernet')
    const to = { peer: identities[0]!.peer, addresses: wires[0]!.addresses() }
    await expect(askStatus(to, { networkId: 'othernet' }, { wire: client, clock })).rejects.toMatchObject({
      code: 'STATUS_OTHER_NETWORK',
    })
    await expect(routes.findRoute(model.hash)).rejects.toMatchObject({ code: 'RING_NO_ROUTE' })
  })
})

describe('a peer that does not answer the question', () => {
  test.each<[string, (wire: Wire) => Promise<void>, string]>([
    ['but with garbage', answering(Uint8Array.of(1, 2, 3)), 'CODEC_TRUNCATED'],
    ['but with nothing', answering(undefined), 'STATUS_NO_ANSWER'],
    [
      'at all',
      async (wire) => wire.handle(STATUS_PROTOCOL, STATUS_PROTOCOL_OPTIONS, () => new Promise(() => {})),
      'STATUS_NO_ANSWER',
    ],
  ])('%s, costs its own answer only', async (_case, serve, code) => {
    await startMiner(0, 3)
    startClient()
    const bad = network.createMemoryWire({ listen: true })
    await serve(bad)
    const to = { peer: bad.peer, addresses: bad.addresses() }
    const asked = askStatus(to, { networkId: NETWORK }, { wire: client, clock })
    const failed = expect(asked).rejects.toMatchObject({ code })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(DEADLINES.statusMs)
    await failed
    const found = routes.findRoute(model.hash)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(DEADLINES.statusMs)
    expect((await found).stages).toHaveLength(1)
  })

  function answering(bytes: Uint8Array | undefined): (wire: Wire) => Promise<void> {
    return (wire) =>
      wire.handle(STATUS_PROTOCOL, STATUS_PROTOCOL_OPTIONS, async (channel) => {
        if (bytes) channel.send(bytes)
      })
  }
})

describe('a route from offers', () => {
  const offerOf = (peer: string, firstSegment: number, lastSegment: number, change: Partial<Offer> = {}): Offer => ({
    ...{ peer: peerId(peer), addresses: [`/memory/${peer}`], model: model.hash, modelName: 'm', segmentCount: 2 },
    ...{ firstSegment, lastSegment, stepMicros: 1_000, prefillMicros: 1, sessionsFree: 1, device: '' },
    ...{ roundTrips: [], incarnation: 1n, sequence: 1 },
    ...change,
  })
  const peersOf = (offers: Offer[], roundTrips: [string, number][] = []) =>
    routeFrom(model.hash, offers, new Map(roundTrips)).stages.map(({ peer }) => peer)
  const split = [offerOf('a', 0, 1), offerOf('b', 1, 2)]

  test.each([
    ['while it is faster', 3_000, ['whole']],
    ['but not while it is slower', 5_000, ['a', 'b']],
  ])('prefers one miner that holds everything, %s', (_case, stepMicros, peers) => {
    // The split takes 2 × 1 ms and, by the client, 2 links of (1 + 1) / 2 ms.
    const offers = [...split, offerOf('whole', 0, 2, { stepMicros })]
    expect(
      peersOf(offers, [
        ['a', 1],
        ['b', 1],
        ['whole', 1],
      ]),
    ).toEqual(peers)
  })

  test('takes the way that two miners measured, from whichever end, before the way by the client', () => {
    const near = offerOf('near', 1, 2, { roundTrips: [{ peer: peerId('a'), micros: 200 }] })
    const offers = [...split, near]
    expect(
      peersOf(offers, [
        ['a', 50],
        ['b', 50],
        ['near', 80],
      ]),
    ).toEqual(['a', 'near'])
  })

  test('leaves full miners out', () => {
    const offers = [...split, offerOf('whole', 0, 2, { stepMicros: 0, sessionsFree: 0 })]
    expect(peersOf(offers)).toEqual(['a', 'b'])
  })

  test('is not led astray by a miner that lies about the number of segments', () => {
    const liars = [
      offerOf('liar', 0, 1, { segmentCount: 1, stepMicros: 0 }),
      offerOf('boaster', 0, 4_000_000_000, { segmentCount: 4_000_000_000 }),
    ]
    expect(peersOf([...liars, ...split])).toEqual(['a', 'b'])
  })

  test('names several missing segments', () => {
    const offers = [offerOf('a', 1, 2, { segmentCount: 4 })]
    expect(() => routeFrom(model.hash, offers, new Map())).toThrow('segments 1, 3, 4 of 4')
  })

  test('of as many offers as a book holds is found at once', () => {
    const offers = Array.from({ length: WIRE_LIMITS.offersMax }, (_, index) => {
      return offerOf(`m${index}`, index % 16, (index % 16) + 1, { segmentCount: 16 })
    })
    expect(peersOf(offers)).toHaveLength(16)
  })
})
