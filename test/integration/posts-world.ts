/**
 * Miners with several posts in one process: two small models with different weights, real stage servers and keepers over memory wires, a clock that the
 * test moves, and a client that looks for routes. Knows nothing of what tests assert.
 * @module
 */
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { createMiner, type Miner } from '../../src/app/miner.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import { createNodeIdentity } from '../../src/app/node-identity.ts'
import { createOfferBook } from '../../src/app/offers.ts'
import { createEngines, type EnginesOptions } from '../../src/app/posts/open-engine.ts'
import type { PostWish } from '../../src/app/posts/post.ts'
import { createPostKeeper, type PostKeeper } from '../../src/app/posts/post-keeper.ts'
import { createOfferRoutes, createPeerDirectory } from '../../src/app/ring/offer-routes.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash } from '../../src/base/brand.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { rangeOf } from '../../src/ml/manifest.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Offer } from '../../src/net/protocols/status.ts'
import type { Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createFakeClock, type FakeClock } from '../fake-clock.ts'
import { silent } from './ring-world.ts'

const NETWORK = 'testnet'
const CONFIG = smallConfig()
const SEGMENTS = 3
const { random } = createSystem()
export const NEVER: AbortSignal = new AbortController().signal

/** A model of three segments that lies nowhere: the manifest of genesis with another shape. */
function modelOf(name: string, byte: string): StoredModel {
  const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
  const segments = Array.from({ length: SEGMENTS }, (_, index) => ({
    ...genesis.manifest.segments[index]!,
    ...{ firstLayer: index, lastLayer: index + 1, hasEmbedding: index === 0, hasHead: index === SEGMENTS - 1 },
  }))
  return { ...genesis, manifest: { ...genesis.manifest, name, config: CONFIG, segments }, hash: hash(byte.repeat(32)) }
}

export const ONE: StoredModel = modelOf('one', 'ab')
export const OTHER: StoredModel = modelOf('other', 'cd')
const SEEDS = new Map([
  [ONE.hash, 3],
  [OTHER.hash, 4],
])

export function wishOf(model: StoredModel, firstSegment: number, lastSegment: number): PostWish {
  return { model, firstSegment, lastSegment }
}

export interface KeepingMiner {
  readonly miner: Miner
  readonly keeper: PostKeeper
  readonly wire: Wire
  /** Engines that were opened, and of those the ones that were closed: `one 0-3`. */
  readonly opened: string[]
  readonly closed: string[]
  /** Moves within a model as a miner without a chain does: opens, then leaves. */
  move(wish: PostWish): Promise<void>
}

export interface PostsWorld {
  readonly clock: FakeClock
  start(wishes: readonly PostWish[], memoryBytesMax?: number): Promise<KeepingMiner>
  /** Asks all, and then has a route by their offers. */
  route(model: StoredModel): Promise<Route>
  open(route: Route): Promise<RingSession>
  /** What the client knows after it asked. */
  offers(): Promise<Offer[]>
  close(): Promise<void>
}

export function createPostsWorld(): PostsWorld {
  const clock = createFakeClock()
  const network = createMemoryNetwork()
  const bootstrap: string[] = []
  const miners: KeepingMiner[] = []
  const client = network.createMemoryWire({ listen: false })
  const book = createOfferBook(NETWORK, { clock })
  const directory = createPeerDirectory({ networkId: NETWORK, bootstrap }, { wire: client, clock, log: silent, book })
  const routes = createOfferRoutes(directory, { wire: client, book })

  const start: PostsWorld['start'] = async (wishes, memoryBytesMax = Number.MAX_SAFE_INTEGER) => {
    const identity = await createNodeIdentity(random)
    const wire = network.createMemoryWire({ listen: true, peer: identity.peer })
    const opened: string[] = []
    const closed: string[] = []
    const createRunner: EnginesOptions['createRunner'] = async ({ model, firstSegment, lastSegment }) => {
      const name = `${model.manifest.name} ${firstSegment}-${lastSegment}`
      const range = rangeOf(model.manifest, firstSegment, lastSegment)
      const weights = randomWeights({ config: CONFIG, format: 'q8', seed: SEEDS.get(model.hash)! })
      const stage = createReferenceEngine().createStage({ config: CONFIG, range, weights, cacheBytesMax: 1 << 26 })
      const runner = createInlineRunner('reference', stage, { clock })
      opened.push(name)
      const close = async (): Promise<void> => {
        closed.push(name)
        await runner.close()
      }
      return { ...runner, close }
    }
    const memory = { cacheBytesMax: 1 << 26, memoryBytesMax }
    const engines = createEngines(
      { home: '/nowhere', engine: 'reference', threads: 1, createRunner, ...memory },
      { clock },
    )
    const first = []
    for (const wish of wishes) first.push(await engines.open(wish))
    const ports = { wire, clock, log: silent }
    const miner = await createMiner({ identity, networkId: NETWORK, bootstrap: [...bootstrap], posts: first }, ports)
    bootstrap.push(`/memory/${identity.peer}`)
    const files = { ensure: async () => undefined }
    const keeper = createPostKeeper({ miner, engines, files, first }, { clock, log: silent })
    const move = async (wish: PostWish): Promise<void> => {
      const old = keeper.find(wish.model.hash)
      const post = await keeper.open(wish, NEVER)
      if (old !== undefined && old !== post) keeper.leave(old, async () => false)
    }
    const started: KeepingMiner = { miner, keeper, wire, opened, closed, move }
    miners.push(started)
    return started
  }

  return {
    ...{ clock, start },
    route: (model) => routes.findRoute(model.hash),
    open: (route) => openRing({ route, capacity: 32 }, { wire: client, clock, random }),
    async offers() {
      await directory.refresh()
      return book.list().map(({ offer }) => offer)
    },
    async close() {
      await client.stop()
      for (const { miner, keeper } of miners) {
        await keeper.close()
        await miner.close()
      }
    },
  }
}
