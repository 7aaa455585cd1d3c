import type { GossipsubOpts } from '@libp2p/gossipsub'
import { afterEach, expect, test } from 'vitest'
import { peerId } from '../../src/base/brand.ts'
import type { Log } from '../../src/base/ports.ts'
import { gossipOptions } from '../../src/net/gossip-options.ts'
import { createHost, type Host, networkTag } from '../../src/net/host.ts'
import { createGossipNews } from '../../src/net/libp2p-news.ts'
import { createLibp2pWire, type Libp2pWireOptions } from '../../src/net/libp2p-wire.ts'
import { createNewsDesk } from '../../src/net/news.ts'
import { createPeerGate } from '../../src/net/peer-gate.ts'
import type { Wire } from '../../src/net/wire.ts'
import { realClock } from './real-clock.ts'
import { bytesOf } from './wire-world.ts'

const TOPIC = 'dllm/test-news/1'
const NAME = `dllm/${networkTag('contract')}/test-news/1`
const POLL = { timeout: 45_000 }

const leftovers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(leftovers.splice(0).map((stop) => stop()))
})

interface Listener {
  readonly wire: Wire
  readonly heard: Uint8Array[]
  readonly logged: string[]
}

async function startWire(options: Partial<Libp2pWireOptions> = {}): Promise<Listener> {
  const [heard, logged]: [Uint8Array[], string[]] = [[], []]
  const wire = await createLibp2pWire(
    { networkId: 'contract', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, dht: false, news: true, ...options },
    { clock: realClock, log: { write: (_level, event) => logged.push(event) } },
  )
  leftovers.push(() => wire.stop())
  wire.subscribe(TOPIC, { messageBytesMax: 1_000 }, (message) => {
    heard.push(message)
    return 'accept'
  })
  return { wire, heard, logged }
}

/** A libp2p node with a gossipsub of its own, connected to `wire`. */
async function startHost(wire: Wire, options: Partial<GossipsubOpts> = {}): Promise<Host> {
  const gate = createPeerGate(undefined, { clock: realClock, log: { write: () => undefined } })
  const host = await createHost({
    clock: realClock,
    networkId: 'contract',
    privateKey: undefined,
    listen: [],
    mdns: false,
    dht: false,
    news: { ...gossipOptions(gate, () => true), ...options },
    denies: () => false,
    onLocalPeer: () => undefined,
  })
  leftovers.push(() => host.stop())
  await host.start()
  const { multiaddr } = await import('@multiformats/multiaddr')
  await host.dial(multiaddr(wire.addresses()[0]!))
  await expect.poll(() => host.services.news!.getSubscribers(NAME).length, POLL).toBe(1)
  return host
}

test.each(['inbound', 'outbound', 'both'])('streams of news that broke (%s) are opened again', async (which) => {
  const { wire, heard } = await startWire()
  const host = await startHost(wire)
  const log: Log = { write: () => undefined }
  const theirs = createGossipNews(host.services.news!, networkTag('contract'), {
    clock: realClock,
    log,
    desk: createNewsDesk(log),
    judge: () => undefined,
    self: peerId(host.peerId.toString()),
    connectionsTo: (peer) => host.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer),
  })
  leftovers.push(theirs.stop)
  const back: Uint8Array[] = []
  theirs.subscribe(TOPIC, { messageBytesMax: 1_000 }, (message) => {
    back.push(message)
    return 'accept'
  })
  await theirs.publish(TOPIC, bytesOf(1))
  await expect.poll(() => heard, POLL).toEqual([bytesOf(1)])
  const streams = host.getConnections().flatMap((connection) => [...connection.streams])
  const broken = streams.filter(
    ({ protocol, direction }) => protocol.includes('meshsub') && (which === 'both' || direction === which),
  )
  expect(broken.length).toBe(which === 'both' ? 2 : 1)
  for (const stream of broken) stream.abort(new Error('the test says so'))
  let count = 1
  await expect
    .poll(async () => {
      // Two bytes: the same news twice is told once.
      count++
      await wire.publish(TOPIC, bytesOf(count >> 8, count, 0))
      await theirs.publish(TOPIC, bytesOf(count >> 8, count, 1))
      return heard.length > 1 && back.length > 0
    }, POLL)
    .toBe(true)
})

test('signed news, garbage and too much at once are not heard, and others go on to be heard', async () => {
  const { wire, heard } = await startWire()
  const signer = await startHost(wire, { globalSignaturePolicy: 'StrictSign' })
  await signer.services.news!.publish(NAME, bytesOf(1))
  const garbler = await startHost(wire)
  const [connection] = garbler.getConnections()
  for (const garbage of [
    bytesOf(3, 255, 255, 255),
    bytesOf(255, 255, 255, 255, 127),
    new Uint8Array(300_000).fill(7),
  ]) {
    const stream = await connection!.newStream('/meshsub/1.2.0')
    stream.addEventListener('message', () => undefined)
    stream.send(garbage)
    await stream.close()
  }
  const honest = await startHost(wire)
  await honest.services.news!.publish(NAME, bytesOf(2))
  await expect.poll(() => heard, POLL).toEqual([bytesOf(2)])
})

test('news that is too long costs the peer that sent it', async () => {
  const { wire, heard, logged } = await startWire()
  const host = await startHost(wire)
  for (let count = 0; count < 7; count++) await host.services.news!.publish(NAME, new Uint8Array(1_001).fill(count))
  await expect.poll(() => wire.connectedPeers(), POLL).toEqual([])
  expect(heard).toEqual([])
  expect(logged).toContain('wire.news_too_long')
  expect(logged).toContain('wire.peer_banned')
})

test('peers of another network hear nothing of each other', async () => {
  const ours = await startWire()
  const theirs = await startWire({ networkId: 'another' })
  await theirs.wire.connect(ours.wire.addresses()[0]!)
  expect(await theirs.wire.publish(TOPIC, bytesOf(1))).toBe(0)
  expect(ours.heard).toEqual([])
})

test('sixteen nodes on one machine are not taken for an attack', async () => {
  const hub = await startWire()
  const others: Awaited<ReturnType<typeof startWire>>[] = []
  // One after the other: both ends of all handshakes share this thread, and each has a deadline of its own.
  for (let index = 0; index < 16; index++) {
    const other = await startWire({ listen: [] })
    await other.wire.connect(hub.wire.addresses()[0]!)
    others.push(other)
  }
  let count = 0
  await expect
    .poll(async () => {
      count++
      await hub.wire.publish(TOPIC, bytesOf(count >> 8, count, 0))
      return others.filter(({ heard }) => heard.length > 0).length
    }, POLL)
    .toBe(16)
  await others[0]!.wire.publish(TOPIC, bytesOf(9, 9))
  await expect
    .poll(() => others.slice(1).filter(({ heard }) => heard.some(({ length }) => length === 2)).length, POLL)
    .toBe(15)
})

test('a wire without news has no router of them', async () => {
  const host = await createHost({
    clock: realClock,
    networkId: 'contract',
    privateKey: undefined,
    listen: [],
    mdns: false,
    dht: false,
    news: undefined,
    denies: () => false,
    onLocalPeer: () => undefined,
  })
  expect(host.services.news).toBeUndefined()
})
