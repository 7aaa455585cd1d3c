import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { peerId } from '../../src/base/brand.ts'
import { createHost, networkTag, wireProtocol } from '../../src/net/host.ts'
import { createLibp2pWire, type Libp2pWireOptions } from '../../src/net/libp2p-wire.ts'
import { createNodeKey, peerOfNodeKey } from '../../src/net/node-key.ts'
import type { Channel, PeerAddress, ProtocolOptions, Wire } from '../../src/net/wire.ts'
import { realClock } from './real-clock.ts'
import { addressOf, bytesOf, codeFrom } from './wire-world.ts'

const ECHO = '/dllm/test-echo/1'
const OPTIONS: ProtocolOptions = { messageBytesMax: 1024 * 1024, channelsPerPeerMax: 8 }
const LOOPBACK = ['/ip4/127.0.0.1/tcp/0']

const leftovers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(leftovers.splice(0).map((stop) => stop()))
})

async function start(options: Partial<Libp2pWireOptions> = {}): Promise<Wire> {
  const wire = await createLibp2pWire(
    { networkId: 'contract', listen: LOOPBACK, mdns: false, dht: false, ...options },
    { clock: realClock, log: { write: () => undefined } },
  )
  leftovers.push(() => wire.stop())
  return wire
}

async function startEcho(): Promise<Wire> {
  const wire = await start()
  await wire.handle(ECHO, OPTIONS, async (channel) => {
    for (let message = await channel.receive(); message; message = await channel.receive()) channel.send(message)
  })
  return wire
}

async function startChild(...args: string[]): Promise<{ child: ChildProcess; address: PeerAddress }> {
  const script = fileURLToPath(new URL('./wire-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--experimental-strip-types', '--no-warnings', script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  leftovers.push(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: child.stdout! }), 'line')
  return { child, address: JSON.parse(line) }
}

async function echoed(channel: Channel): Promise<void> {
  channel.send(bytesOf(1, 2, 3))
  expect(await channel.receive()).toEqual(bytesOf(1, 2, 3))
}

function portOf(wire: Wire): number {
  return Number(wire.addresses()[0]!.split('/')[4])
}

test('a channel to another process works, and the process exits by itself after stop', async () => {
  const client = await start({ listen: [] })
  const { child, address } = await startChild()
  const channel = await client.open(address, ECHO, OPTIONS)
  await echoed(channel)
  const exited = once(child, 'exit')
  child.stdin!.end()
  expect(await channel.receive()).toBeUndefined()
  expect(await exited).toEqual([0, null])
})

test('a peer killed with SIGKILL is a cut', async () => {
  const client = await start({ listen: [] })
  const { child, address } = await startChild()
  const channel = await client.open(address, ECHO, OPTIONS)
  await echoed(channel)
  const waiting = codeFrom(channel.receive())
  child.kill('SIGKILL')
  expect(await waiting).toBe('WIRE_CHANNEL_CUT')
  expect(await codeFrom(() => channel.send(bytesOf(1)))).toBe('WIRE_CHANNEL_CUT')
  expect(await codeFrom(client.open(address, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
})

test('a frozen peer is a cut after a while, and holds up neither close nor stop', async () => {
  const client = await start({ listen: [] })
  const { child, address } = await startChild()
  const channel = await client.open(address, ECHO, OPTIONS)
  const other = await client.open(address, ECHO, OPTIONS)
  await echoed(channel)
  child.kill('SIGSTOP')
  for (let count = 0; count < 16; count++) channel.send(new Uint8Array(1024 * 1024))
  await channel.close()
  expect(await codeFrom(other.receive())).toBe('WIRE_CHANNEL_CUT')
  await client.stop()
})

test('a client with a frozen peer stops all the same', async () => {
  const client = await start({ listen: [] })
  const { child, address } = await startChild()
  await echoed(await client.open(address, ECHO, OPTIONS))
  child.kill('SIGSTOP')
  await client.stop()
  expect(client.connectedPeers()).toEqual([])
})

test('strangers that send garbage over TCP are dropped, and the wire goes on', async () => {
  const server = await startEcho()
  for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\x13/multistream/1.0.0\n\xff\xff\xff\xff', '\0'.repeat(100_000)]) {
    const socket = connect(portOf(server), '127.0.0.1').on('error', () => undefined)
    socket.resume()
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.end(garbage, 'latin1')
    await closed
  }
  const client = await start({ listen: [] })
  await echoed(await client.open(addressOf(server), ECHO, OPTIONS))
})

test.each([
  ['a length over the limit', [1, 0, 16, 0], 'WIRE_MESSAGE_TOO_LONG'],
  ['the largest length', [0xfd, 0xff, 0xff, 0xff], 'WIRE_MESSAGE_TOO_LONG'],
  ['an accept marker', [0xfe, 0xff, 0xff, 0xff], 'WIRE_CHANNEL_CUT'],
  ['a message after the end marker', [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 'no error, then WIRE_CHANNEL_CUT'],
  ['the end of the stream in a message', [9, 0, 0, 0, 1, 2], 'WIRE_CHANNEL_CUT'],
])('a peer that sends %s loses its channel', async (_, bytes, expected) => {
  const server = await start()
  const outcome = Promise.withResolvers<string | undefined>()
  await server.handle(ECHO, OPTIONS, async (channel) => {
    const code = await codeFrom(channel.receive())
    outcome.resolve(code === 'no error' ? `no error, then ${await codeFrom(channel.receive())}` : code)
  })
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
  leftovers.push(() => host.stop())
  await host.start()
  const { multiaddr } = await import('@multiformats/multiaddr')
  const connection = await host.dial(multiaddr(server.addresses()[0]!))
  const stream = await connection.newStream(wireProtocol(ECHO, networkTag('contract')))
  const closed = new Promise((resolve) => stream.addEventListener('close', resolve))
  stream.addEventListener('message', () => undefined)
  stream.send(new Uint8Array(bytes))
  await stream.close()
  expect(await outcome.promise).toBe(expected)
  await closed
})

test('two peers that send much to each other at once do not wait for each other', async () => {
  const server = await startEcho()
  const client = await start({ listen: [] })
  const channels = await Promise.all([0, 1, 2, 3].map(() => client.open(addressOf(server), ECHO, OPTIONS)))
  for (const channel of channels) for (let count = 0; count < 24; count++) channel.send(new Uint8Array(1024 * 1024))
  for (const channel of channels) {
    for (let count = 0; count < 24; count++) expect((await channel.receive())?.length).toBe(1024 * 1024)
  }
})

test('a port in use is named', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  leftovers.push(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await expect(start({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })).rejects.toMatchObject({
    code: 'WIRE_PORT_IN_USE',
    message: expect.stringContaining(String(port)),
    details: { port },
  })
})

test.each(['/ip4/192.0.2.1/tcp/0', 'nonsense', '/ip4/127.0.0.1/udp/1'])(
  '%s is no address to listen at',
  async (address) => {
    expect(await codeFrom(start({ listen: [address] }))).toBe('WIRE_LISTEN_FAILED')
  },
)

test('a key gives the same peer every time; a damaged key is refused without quoting it', async () => {
  const privateKey = await createNodeKey({ bytes: (length) => new Uint8Array(length).fill(7) })
  const wire = await start({ privateKey })
  expect(wire.peer).toBe(await peerOfNodeKey(privateKey))
  const failure = await start({ privateKey: privateKey.slice(0, 20) }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'NODE_KEY_BAD', details: {} })
  expect((failure as Error).cause).toBeUndefined()
})

test('peers of another network do not understand each other', async () => {
  const server = await startEcho()
  const client = await start({ listen: [], networkId: 'another' })
  expect(await codeFrom(client.open(addressOf(server), ECHO, OPTIONS))).toBe('WIRE_PROTOCOL_UNSUPPORTED')
})

test('a bootstrap address is dialled in the background', async () => {
  const server = await start()
  const client = await start({ listen: [], bootstrap: [server.addresses()[0]!, '/ip4/127.0.0.1/tcp/1', 'nonsense'] })
  await expect.poll(() => client.connectedPeers(), { timeout: 10_000 }).toEqual([server.peer])
})

test('a peer id that is none is unreachable', async () => {
  const [server, client] = [await startEcho(), await start({ listen: [] })]
  const to = { peer: peerId('nobody'), addresses: server.addresses().map((address) => address.split('/p2p/')[0]!) }
  expect(await codeFrom(client.open(to, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
  expect(await codeFrom(client.ping(to.peer))).toBe('WIRE_PEER_UNREACHABLE')
})

test('a wire does not connect to itself', async () => {
  const wire = await startEcho()
  expect(await codeFrom(wire.open(addressOf(wire), ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
})

test('an opening can be given up while the peer does not answer', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  leftovers.push(() => silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const client = await start({ listen: [] })
  const stop = new AbortController()
  const connecting = client.connect(`/ip4/127.0.0.1/tcp/${port}`, stop.signal)
  await once(silent, 'connection')
  stop.abort(new Error('enough'))
  await expect(connecting).rejects.toThrow('enough')
})
