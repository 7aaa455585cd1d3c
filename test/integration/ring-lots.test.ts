/**
 * Rings whose miners have more in their engines than they serve: a lot, or a cut of an offer. Any cut, and all cuts at once
 * on the same engines, give the bits of one miner with everything; a lease pays for its lots and for no other run.
 * Spec: docs/spec/wire.md §4.1; docs/spec/numerics.md §10.
 * @module
 */
import { afterEach, describe, expect, test } from 'vitest'
import { createEngine } from '../../src/app/engines.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { createSystem } from '../../src/app/system.ts'
import type { EngineName } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createMarket, leaseFor, type Market, minerKeys, openPaid } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, type RingWorldOptions } from './ring-world.ts'

const CONFIG = smallConfig({ layerCount: 5, contextLength: 128 })
/** Layers of the segments; as many miners, each with all of them. */
const SPLIT = [1, 2, 2]
const PROMPT = Array.from({ length: 30 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const SETTINGS = { ...GREEDY, maxTokens: 12, temperature: 0.9, topK: 20, repetitionPenalty: 1.1, seed: 5n }
const TURN = { generation: SETTINGS, chunkTokens: 8 }

/** Which miner serves which segments, from a first one to a last one, exclusive. */
type Cut = readonly (readonly [miner: number, first: number, last: number])[]

const WHOLE: Cut = [[0, 0, 3]]
const CUTS: readonly (readonly [string, Cut])[] = [
  [
    'one miner and its neighbour',
    [
      [0, 0, 1],
      [1, 1, 3],
    ],
  ],
  [
    'the same two the other way round',
    [
      [1, 0, 1],
      [0, 1, 3],
    ],
  ],
  [
    'a later cut',
    [
      [2, 0, 2],
      [0, 2, 3],
    ],
  ],
  [
    'three miners, the middle at the middle',
    [
      [1, 0, 1],
      [0, 1, 2],
      [2, 2, 3],
    ],
  ],
]

let world: RingWorld
let market: Market | undefined

afterEach(async () => {
  await world.close()
  await market?.close()
  market = undefined
})

async function start(options: Pick<RingWorldOptions, 'engine' | 'desk'>): Promise<void> {
  const network = createMemoryNetwork()
  const weights = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
  world = await createRingWorld({
    // Each cut computes all of its prompt.
    ...{ config: CONFIG, weights, split: SPLIT, hasAll: true, prefixes: null },
    createWire: async (listen, index) =>
      network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer }),
    ...options,
  })
}

function routeOf(cut: Cut): Route {
  const stages = cut.map(([miner, firstSegment, lastSegment]) => {
    return { ...world.route.stages[miner]!, firstSegment, lastSegment }
  })
  return { ...world.route, stages }
}

function openCut(cut: Cut): Promise<RingSession> {
  const { clock, random } = createSystem()
  return openRing({ route: routeOf(cut), capacity: CONFIG.contextLength }, { wire: world.client, clock, random })
}

async function answerOf(session: RingSession) {
  const answer = await collect(session, PROMPT, TURN)
  await session.close()
  return answer
}

describe.each<[EngineName, number]>([
  ['reference', 1],
  ['wasm', 1],
  ['wasm', 2],
])('miners with everything, %s × %i,', (name, threads) => {
  test('give the tokens and logits of one of them however the ring is cut, alone and all cuts at once', async () => {
    const engines = await Promise.all(SPLIT.map(() => createEngine(name, { threads, bytesPerThread: 1 })))
    await start({ engine: () => engines.pop()! })
    const expected = await answerOf(await openCut(WHOLE))
    expect(expected).toMatchObject({ reason: 'max-tokens', tokens: { length: SETTINGS.maxTokens } })
    for (const [what, cut] of CUTS) expect(await answerOf(await openCut(cut)), what).toEqual(expected)
    const cuts = [WHOLE, ...CUTS.map(([, cut]) => cut), WHOLE]
    const sessions = await Promise.all(cuts.map(openCut))
    expect(await Promise.all(sessions.map(answerOf))).toEqual(cuts.map(() => expected))
  })
})

describe('a lease over lots of miners that have everything', () => {
  test('is served, with the tokens and logits of one of them', async () => {
    const ours = await createMarket()
    market = ours
    await start({ engine: createReferenceEngine, desk: (index) => ours.desk(index) })
    const expected = await answerOf(await openCut(WHOLE))
    const lease = leaseFor(world)
    ours.leases.set(lease.id, { ok: true, lease })
    const paid = await openPaid(world, ours, { lease, capacity: CONFIG.contextLength })
    expect(await answerOf(paid)).toEqual(expected)
  })

  test.each(CUTS.slice(0, 3))('pays for no other run that they have: %s', async (_what, cut) => {
    const ours = await createMarket()
    market = ours
    await start({ engine: createReferenceEngine, desk: (index) => ours.desk(index) })
    const lease = leaseFor(world)
    ours.leases.set(lease.id, { ok: true, lease })
    const other = { ...world, route: routeOf(cut) }
    await expect(openPaid(other, ours, { lease, capacity: CONFIG.contextLength })).rejects.toMatchObject({
      details: { stageCode: 'LEASE_OTHER_ROUTE' },
    })
    expect(world.miners.map(({ server }) => server.sessionCount)).toEqual([0, 0, 0])
  })
})
