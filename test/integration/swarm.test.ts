import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Home } from '../../src/app/home.ts'
import { openModelStore } from '../../src/app/model-store.ts'
import { filesOf, missingFiles, missingTokenizerFiles, pathOfFile } from '../../src/app/shards/model-files.ts'
import { openShardStore } from '../../src/app/shards/shard-store.ts'
import { createModelFetcher, type ModelFetcher } from '../../src/app/swarm/model-fetcher.ts'
import { openShardService, type ShardServiceOptions } from '../../src/app/swarm/shard-service.ts'
import { createSwarmFiles } from '../../src/app/swarm/swarm-files.ts'
import { createSystem } from '../../src/app/system.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createSwarmHomes, type SwarmHomes } from '../swarm-homes.ts'

const system = createSystem({ level: 'silent' })
const never = new AbortController().signal
const LISTEN = '/ip4/127.0.0.1/tcp/0'

let homes: SwarmHomes
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  homes = await createSwarmHomes(8)
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => homes.close())

type CreateWire = (listen: boolean) => Promise<Wire>

/** Somebody who has the whole model and serves it; gives its wire. */
async function serve(createWire: CreateWire, home?: Home, onDamaged?: ShardServiceOptions['onDamaged']): Promise<Wire> {
  const { path } = home ?? (await homes.full())
  const wire = await createWire(true)
  const store = openShardStore({ home: path })
  const service = await openShardService(wire, { home: path, store, listen: wire.addresses()[0]!, onDamaged }, system)
  closing.push(async () => {
    await service.close()
    await wire.stop()
  })
  return wire
}

async function fetcherOf(createWire: CreateWire, home: Home, bootstrap: readonly string[]): Promise<ModelFetcher> {
  const wire = await createWire(false)
  const network = { id: 'swarm', bootstrap, mdns: false, dht: false }
  const store = openShardStore({ home: home.path })
  const fetcher = createModelFetcher({ home, network, store, patienceMs: 20_000 }, { ...system, wire })
  closing.push(async () => {
    await fetcher.close()
    await wire.stop()
  })
  return fetcher
}

async function expectSame(home: Home): Promise<void> {
  const model = openModelStore({ home: home.path }).find(homes.model.manifest.name)
  expect(model.hash).toBe(homes.model.hash)
  for (const file of filesOf(model.manifest)) {
    const [mine, theirs] = await Promise.all([model, homes.model].map((place) => readFile(pathOfFile(place, file))))
    expect(Buffer.compare(mine!, theirs!)).toBe(0)
  }
}

const kinds: [string, () => CreateWire][] = [
  [
    'in memory',
    () => {
      const network = createMemoryNetwork(system)
      return async (listen) => network.createMemoryWire({ listen })
    },
  ],
  [
    'over TCP',
    () => (listen) =>
      createLibp2pWire({ networkId: 'swarm', listen: listen ? [LISTEN] : [], mdns: false, dht: false }, system),
  ],
]

describe.each(kinds)('%s', (_kind, wires) => {
  test('a model comes by its hash from four peers, whole and from all of them', async () => {
    const createWire = wires()
    const servers = [await serve(createWire), await serve(createWire), await serve(createWire), await serve(createWire)]
    const home = await homes.empty()
    const fetcher = await fetcherOf(
      createWire,
      home,
      servers.map((wire) => wire.addresses()[0]!),
    )
    const model = await fetcher.model(homes.model.hash, never)
    const { segments } = model.manifest
    const wanted = [...missingFiles(model, 0, segments.length), ...missingTokenizerFiles(model)]
    expect(wanted).toHaveLength(segments.length + 2)
    const pulled = await fetcher.files(model, wanted, { signal: never })
    await expectSame(home)
    expect(pulled.from.size).toBe(4)
    expect(pulled.banned).toBe(0)
    const leavesBytes = 32 * Math.ceil(pulled.totalBytes / 1_048_576 + segments.length)
    expect(pulled.receivedBytes).toBeLessThanOrEqual(pulled.totalBytes + leavesBytes + 1_048_576)
    expect(missingFiles(model, 0, segments.length)).toEqual([])
  })

  test('who is downloading serves what it has already, so that a second one needs the first source no more', async () => {
    const createWire = wires()
    const source = await serve(createWire)
    const [first, second] = [await homes.empty(), await homes.empty()]
    const relay = await serve(createWire, first)
    const one = await fetcherOf(createWire, first, [source.addresses()[0]!])
    const model = await one.model(homes.model.hash, never)
    await one.files(model, missingFiles(model, 0, 2), { signal: never })
    await source.stop()
    const two = await fetcherOf(createWire, second, [relay.addresses()[0]!])
    const again = await two.model(homes.model.hash, never)
    const pulled = await two.files(again, missingFiles(again, 0, 2), { signal: never })
    expect([...pulled.from.keys()]).toEqual([relay.peer])
  })
})

test('a disk that damages a shard makes nobody a liar: the shard is served no more, and repaired from others', async () => {
  const createWire = kinds[0]![1]()
  const rotten = await homes.full()
  const model = openModelStore({ home: rotten.path }).find(homes.model.manifest.name)
  const other = await serve(createWire)
  const printed: string[] = []
  const repairing = createSwarmFiles({
    home: rotten.path,
    fetcher: () => fetcherOf(createWire, rotten, [other.addresses()[0]!]),
    tell: () => ({ update: () => undefined, end: () => undefined }),
    print: (line) => void printed.push(line),
  })
  closing.push(() => repairing.close())
  const wire = await serve(createWire, rotten, ({ root }) => repairing.repair(root))
  const home = await homes.empty()
  const bootstrap = [wire.addresses()[0]!]
  const first = await fetcherOf(createWire, home, [...bootstrap, other.addresses()[0]!])
  const wanted = await first.model(homes.model.hash, never)
  // It was compared when it was located first: what happens to it later is found as it is served.
  await first.files(wanted, missingFiles(wanted, 0, 1), { signal: never })
  const path = pathOfFile(model, filesOf(model.manifest)[1]!)
  const bytes = await readFile(path)
  bytes[bytes.length >> 1]! ^= 1
  await writeFile(path, bytes)
  const pulled = await first.files(wanted, missingFiles(wanted, 1, 2), { signal: never })
  expect(pulled.banned).toBe(0)
  await vi.waitFor(() => expect(printed.at(-1)).toMatch(/ is whole again\./), { timeout: 10_000 })
  await expectSame(rotten)
})
