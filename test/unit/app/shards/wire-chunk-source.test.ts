/** When chunks come over a bulk link and when over the channel. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BulkLink, LinkError, type LinkPlace } from '../../../../src/app/shards/bulk-link.ts'
import { createChunkKeeper } from '../../../../src/app/shards/chunk-keeper.ts'
import type { ChunkOutcome, ChunkSource } from '../../../../src/app/shards/chunk-source.ts'
import { serveShards } from '../../../../src/app/shards/shard-server.ts'
import { createUploadBudget } from '../../../../src/app/shards/upload-budget.ts'
import { hostsOf, openChunkSource } from '../../../../src/app/shards/wire-chunk-source.ts'
import { DEADLINES } from '../../../../src/base/limits.ts'
import { createMemoryNetwork } from '../../../../src/net/memory-network.ts'
import type { Wire } from '../../../../src/net/wire.ts'
import { addressOf } from '../../../contract/wire-world.ts'
import { createFakeClock, type FakeClock, until } from '../../../fake-clock.ts'
import { createShardWorld, type ShardWorld, servedFiles, type TestFile, targetOf } from '../../../shard-world.ts'

const NEVER = new AbortController().signal
const BYTES = 1_000
const LOG = { write: () => undefined }

let world: ShardWorld
let clock: FakeClock
let file: TestFile
let part: string
let server: Wire
let port: number | undefined
let placed: LinkPlace[]
let closed: number
let open: (place: LinkPlace) => Promise<BulkLink>
let source: ChunkSource

beforeEach(async () => {
  world = await createShardWorld()
  clock = createFakeClock()
  file = await world.file(BYTES)
  part = await world.part(BYTES)
  port = 5_000
  placed = []
  closed = 0
  const network = createMemoryNetwork({ clock, log: LOG })
  server = network.createMemoryWire({ listen: true })
  const admit = async () => (port === undefined ? undefined : { port, ticket: new Uint8Array(16) })
  const budget = createUploadBudget({}, clock)
  await serveShards(server, { files: servedFiles([file]), budget, links: { admit } }, { clock, log: LOG })
  const { peer, addresses } = addressOf(server)
  const hosts = ['/ip4/127.0.0.1/tcp/1', '/ip4/192.0.2.1/tcp/4001']
  const links = {
    open: (place: LinkPlace) => {
      placed.push(place)
      return open(place)
    },
  }
  const ports = {
    wire: network.createMemoryWire({ listen: false }),
    clock,
    log: LOG,
    keeper: createChunkKeeper(),
    links,
  }
  source = await openChunkSource({ peer, addresses: [...addresses, ...hosts] }, ports)
})
afterEach(async () => {
  await source.close()
  await server.stop()
  await world.close()
})

function fetch(): Promise<ChunkOutcome> {
  return source.chunk(file, 0, targetOf(file, 0, part), NEVER)
}

/** A link on which each chunk comes to this end. */
function linkOf(outcome: () => Promise<ChunkOutcome>): BulkLink {
  return { bytesReceived: 7, fetch: outcome, close: () => void closed++ }
}

async function isThere(): Promise<boolean> {
  return Buffer.compare(await world.content(part), file.content) === 0
}

test.each(['stored', 'absent'] as const)(
  'what a link says counts (%s), and the channel brings nothing',
  async (outcome) => {
    open = async () => linkOf(async () => outcome)
    expect([await fetch(), await fetch()]).toEqual([outcome, outcome])
    expect(placed.map(({ host }) => host)).toEqual(['192.0.2.1'])
    expect(source.bytesReceived).toBe(7)
    expect(await isThere()).toBe(false)
  },
)

test.each<readonly [string, () => Promise<ChunkOutcome>]>([
  ['is bad', async () => 'bad'],
  ['is lost with its link', async () => Promise.reject(new LinkError('LINK_LOST', 'gone'))],
])('a chunk that %s there comes over the channel, and the link is not used again', async (_, outcome) => {
  open = async () => linkOf(outcome)
  expect([await fetch(), await fetch()]).toEqual(['stored', 'stored'])
  expect(await isThere()).toBe(true)
  expect(placed.length).toBe(1)
  expect(closed).toBeGreaterThan(0)
})

test('a disk that fails is no reason to ask again', async () => {
  open = async () => linkOf(async () => Promise.reject(new Error('the disk is full')))
  await expect(fetch()).rejects.toThrow('the disk is full')
  expect(await isThere()).toBe(false)
})

test('where no host of the peer has the link, everything comes over the channel', async () => {
  open = async () => Promise.reject(new LinkError('LINK_UNREACHABLE', 'nobody'))
  expect([await fetch(), await fetch()]).toEqual(['stored', 'stored'])
  expect(placed.map(({ host }) => host)).toEqual(['192.0.2.1', '127.0.0.1'])
})

test.each([undefined, 80, 1_023])(
  'a peer without links, or with one at port %s, is asked over the channel',
  async (told) => {
    port = told
    expect(await fetch()).toBe('stored')
    expect(placed).toEqual([])
  },
)

test('a chunk does not wait long for a link; later ones use it when it is there', async () => {
  const opening = Promise.withResolvers<BulkLink>()
  open = () => opening.promise
  const first = fetch()
  await until(() => placed.length === 1, 'the link is being opened')
  clock.advance(DEADLINES.linkWaitMs)
  expect(await first).toBe('stored')
  opening.resolve(linkOf(async () => 'absent'))
  await until(() => source.bytesReceived > BYTES, 'the link is there')
  expect(await fetch()).toBe('absent')
})

test('a link that comes after the source was closed is closed', async () => {
  const opening = Promise.withResolvers<BulkLink>()
  open = () => opening.promise
  const asked = fetch().catch(() => undefined)
  await until(() => placed.length === 1, 'the link is being opened')
  await source.close()
  opening.resolve(linkOf(async () => 'stored'))
  await until(() => closed === 1, 'the link is closed')
  await asked
})

test.each<readonly [string, readonly string[], readonly string[]]>([
  [
    'IP addresses of both kinds, and names',
    ['/ip4/1.2.3.4/tcp/1', '/ip6/2001:db8::1/tcp/1/p2p/x', '/dns4/a.example/tcp/2'],
    ['1.2.3.4', '2001:db8::1', 'a.example'],
  ],
  ['each once', ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/2'], ['1.2.3.4']],
  [
    'those of this machine last',
    ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1', '/ip4/1.2.3.4/tcp/1'],
    ['1.2.3.4', '127.0.0.1', '::1'],
  ],
  ['no relays, and nothing else', ['/ip4/1.2.3.4/tcp/1/p2p/r/p2p-circuit/p2p/x', '/memory/x', '/unix/x', ''], []],
  [
    'so many and no more',
    ['1', '2', '3', '4'].map((last) => `/ip4/1.2.3.${last}/tcp/1`),
    ['1.2.3.1', '1.2.3.2', '1.2.3.3'],
  ],
])('hosts of addresses: %s', (_, addresses, hosts) => {
  expect(hostsOf(addresses)).toEqual(hosts)
})
