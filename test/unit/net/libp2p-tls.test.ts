import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { generateCertificate } from '@libp2p/tls/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, describe, expect, test } from 'vitest'
import { tlsOnSockets } from '../../../src/net/libp2p-tls.ts'
import { realClock } from '../../contract/real-clock.ts'

const leftovers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(leftovers.splice(0).map((stop) => stop()))
})

/** Ours, and libp2p's own. */
const ours = tlsOnSockets(realClock)
const theirs = tls()

type Node = Libp2p<{ ping: Ping }>

async function start(encrypter: typeof ours, listen: string[] = []): Promise<Node> {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { ping: ping() },
  })
  leftovers.push(() => node.stop())
  return node
}

const LISTEN = ['/ip4/127.0.0.1/tcp/0']

describe('a peer with libp2p’s own TLS', () => {
  const cases = [
    ['is dialled', theirs, ours],
    ['dials', ours, theirs],
    ['is not needed', ours, ours],
  ] as const
  test.each(cases)('%s', async (_, atServer, atClient) => {
    const server = await start(atServer, LISTEN)
    const client = await start(atClient)
    const connection = await client.dial(server.getMultiaddrs()[0]!)
    expect(connection.remotePeer.equals(server.peerId)).toBe(true)
    expect({ encryption: connection.encryption, multiplexer: connection.multiplexer }).toEqual({
      encryption: '/tls/1.0.0',
      multiplexer: '/yamux/1.0.0',
    })
    expect(await client.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
    const [back] = server.getConnections()
    expect(back!.remotePeer.equals(client.peerId)).toBe(true)
    expect(await server.services.ping.ping(client.peerId)).toBeGreaterThanOrEqual(0)
  })
})

/** A line of multistream-select: its length, the text and a line feed. */
function line(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length + 1]), Buffer.from(`${text}\n`)])
}
const NEGOTIATION = Buffer.concat([line('/multistream/1.0.0'), line('/tls/1.0.0')])

async function connectTo(server: Node): Promise<Socket> {
  const port = Number(server.getMultiaddrs()[0]!.toString().split('/')[4])
  const socket = connectSocket(port, '127.0.0.1')
  leftovers.push(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** What follows the negotiation, which goes out in one write with the first bytes, and whose answer is left out. */
function afterNegotiation(socket: Socket): Duplex {
  let isFirst = true
  let answer = NEGOTIATION.length
  const rest = new Duplex({
    read: () => undefined,
    write(bytes: Buffer, _, done) {
      socket.write(isFirst ? Buffer.concat([NEGOTIATION, bytes]) : bytes, () => done())
      isFirst = false
    },
    final(done) {
      socket.end(() => done())
    },
  })
  socket.on('data', (bytes: Buffer) => {
    const left = bytes.subarray(Math.min(answer, bytes.length))
    answer -= bytes.length - left.length
    if (left.length > 0) rest.push(left)
  })
  socket.on('close', () => rest.destroy())
  return rest
}

function handshake(socket: Socket, options: { cert?: string; key?: string } = {}): TLSSocket {
  const secure = connectTls({
    ...{ socket: afterNegotiation(socket), rejectUnauthorized: false, minVersion: 'TLSv1.3' },
    ALPNProtocols: ['/yamux/1.0.0', 'libp2p'],
    ...options,
  })
  secure.on('error', () => undefined)
  return secure
}

async function pingsAnother(server: Node): Promise<void> {
  const other = await start(ours)
  const connection = await other.dial(server.getMultiaddrs()[0]!)
  expect(await other.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
}

describe('a listener', () => {
  test('takes a handshake that begins in the same bytes as the negotiation before it', async () => {
    const server = await start(ours, LISTEN)
    const certificate = await generateCertificate(await generateKeyPair('Ed25519'))
    const opened = once(server, 'connection:open')
    const secure = handshake(await connectTo(server), certificate)
    await once(secure, 'secureConnect')
    expect(secure.alpnProtocol).toBe('/yamux/1.0.0')
    await opened
    expect(server.getConnections()).toHaveLength(1)
  })

  const refused: Record<string, (socket: Socket) => unknown> = {
    'who shows no certificate': (socket) => handshake(socket),
    'who says something else than TLS': (socket) => socket.write(Buffer.concat([NEGOTIATION, Buffer.alloc(500, 7)])),
    // The header of a TLS record, and of its 512 bytes the first.
    'who goes away in the middle': (socket) => socket.end(Buffer.concat([NEGOTIATION, Buffer.of(0x16, 3, 1, 2, 0, 1)])),
  }
  test.each(Object.entries(refused))('drops %s and goes on', async (_, begin) => {
    const server = await start(ours, LISTEN)
    const socket = await connectTo(server)
    socket.resume()
    const closed = once(socket, 'close')
    begin(socket)
    await closed
    expect(server.getConnections()).toHaveLength(0)
    await pingsAnother(server)
  })
})

test('a dialler drops who is not the peer that it expects', async () => {
  const server = await start(ours, LISTEN)
  const other = await start(ours)
  const client = await start(ours)
  const [address] = server.getMultiaddrs()
  const wrong = address!.toString().replace(server.peerId.toString(), other.peerId.toString())
  await expect(client.dial(multiaddr(wrong))).rejects.toThrow()
  expect(client.getConnections()).toHaveLength(0)
  await pingsAnother(server)
})
