import { expect, test } from 'vitest'
import { createChunkKeeper } from '../../src/app/shards/chunk-keeper.ts'
import { createFetchThread } from '../../src/app/shards/fetch-thread.ts'
import { openLinkDoor } from '../../src/app/shards/link-door.ts'
import type { ServedFiles } from '../../src/app/shards/served-files.ts'
import { serveShards } from '../../src/app/shards/shard-server.ts'
import { createUploadBudget } from '../../src/app/shards/upload-budget.ts'
import { openChunkSource } from '../../src/app/shards/wire-chunk-source.ts'
import { createSystem } from '../../src/app/system.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createShardWorld, servedFiles, targetOf } from '../shard-world.ts'
import { describeChunkSource, type SourcePair } from './chunk-source-suite.ts'
import { addressOf } from './wire-world.ts'

const system = createSystem({ level: 'silent' })

interface Wires {
  readonly server: Wire
  readonly client: Wire
  kill(): Promise<void>
}

async function memoryWires(): Promise<Wires> {
  const network = createMemoryNetwork(system)
  const [server, client] = [network.createMemoryWire({ listen: true }), network.createMemoryWire({ listen: false })]
  return { server, client, kill: async () => network.kill(server.peer) }
}

async function tcpWires(): Promise<Wires> {
  const create = (listen: string[]) =>
    createLibp2pWire({ networkId: 'contract', listen, mdns: false, dht: false }, system)
  const [server, client] = [await create(['/ip4/127.0.0.1/tcp/0']), await create([])]
  return { server, client, kill: () => server.stop() }
}

type PairOptions = { readonly wires: () => Promise<Wires>; readonly hasLinks: boolean }

interface TestPair extends SourcePair {
  /** Bulk links that were opened so far. */
  links(): number
  closeDoor(): Promise<void>
}

async function createPair(files: ServedFiles, { wires, hasLinks }: PairOptions): Promise<TestPair> {
  const { server, client, kill } = await wires()
  const budget = createUploadBudget({}, system.clock)
  const place = { host: '127.0.0.1', port: 0 }
  const door = hasLinks ? await openLinkDoor({ files, budget, ...place }, system) : undefined
  await serveShards(server, { files, budget, links: door }, system)
  const thread = hasLinks ? createFetchThread() : undefined
  let links = 0
  const dialler = thread && {
    open: async (...parts: Parameters<typeof thread.open>) => {
      const link = await thread.open(...parts)
      links++
      return link
    },
  }
  const ports = { ...system, wire: client, keeper: thread ?? createChunkKeeper(), links: dialler }
  const source = await openChunkSource(addressOf(server), ports)
  return {
    source,
    links: () => links,
    closeDoor: async () => door?.close(),
    kill: async () => {
      await door?.close()
      await kill()
    },
    stop: async () => {
      await thread?.close()
      await door?.close()
      await Promise.all([client.stop(), server.stop()])
    },
  }
}

describeChunkSource('over a channel in memory', (files) => createPair(files, { wires: memoryWires, hasLinks: false }))
describeChunkSource('over a channel of TCP', (files) => createPair(files, { wires: tcpWires, hasLinks: false }))
describeChunkSource('over a bulk link', (files) => createPair(files, { wires: tcpWires, hasLinks: true }))

test('chunks come over the bulk link where there is one, and over the channel when it goes', async () => {
  const world = await createShardWorld()
  const file = await world.file(3_000_000)
  const part = await world.part(3_000_000)
  const pair = await createPair(servedFiles([file]), { wires: tcpWires, hasLinks: true })
  const fetch = (index: number) =>
    pair.source.chunk(file, index, targetOf(file, index, part), AbortSignal.timeout(20_000))
  expect(await fetch(0)).toBe('stored')
  expect(pair.links()).toBe(1)
  await pair.closeDoor()
  expect(await Promise.all([fetch(1), fetch(2)])).toEqual(['stored', 'stored'])
  expect(Buffer.compare(await world.content(part), file.content)).toBe(0)
  await pair.stop()
  await world.close()
})
