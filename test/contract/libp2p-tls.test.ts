import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { createHost, type Host } from '../../src/net/host.ts'
import { loadDirectTls } from '../../src/net/libp2p-tls.ts'

const LISTEN = ['/ip4/127.0.0.1/tcp/0']
const ECHO = '/test/echo/1'
/** More than the buffers of both sides hold. */
const BYTES = 300_000

const leftovers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(leftovers.splice(0).map((stop) => stop()))
})

/** A libp2p node as others have it, or with our encrypter instead. */
async function startNode(encrypter: 'ours' | 'theirs') {
  const node = await createLibp2p({
    addresses: { listen: LISTEN },
    transports: [tcp()],
    connectionEncrypters: [encrypter === 'ours' ? await loadDirectTls() : tls()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  })
  leftovers.push(() => node.stop())
  await node.handle(ECHO, (stream) => {
    stream.addEventListener('message', ({ data }) => void stream.send(data))
  })
  return node
}

async function startHost(): Promise<Host> {
  const host = await createHost({
    networkId: 'contract',
    privateKey: undefined,
    listen: LISTEN,
    mdns: false,
    dht: false,
    news: undefined,
    denies: () => false,
    onLocalPeer: () => undefined,
  })
  leftovers.push(() => host.stop())
  await host.start()
  return host
}

test.each([
  ['ours', 'theirs'],
  ['theirs', 'ours'],
  ['ours', 'ours'],
] as const)('%s dials %s: both know the other, and bytes go both ways', async (dialler, listener) => {
  const [from, to] = [await startNode(dialler), await startNode(listener)]
  const connection = await from.dial(to.getMultiaddrs()[0]!)
  expect(connection.remotePeer.equals(to.peerId)).toBe(true)
  expect(connection.encryption).toBe('/tls/1.0.0')
  const stream = await connection.newStream(ECHO)
  const sent = Uint8Array.from({ length: BYTES }, (_, index) => index % 251)
  const received: number[] = []
  const whole = new Promise<void>((resolve) => {
    stream.addEventListener('message', ({ data }) => {
      for (const byte of data.subarray()) received.push(byte)
      if (received.length >= BYTES) resolve()
    })
  })
  stream.send(sent)
  await whole
  expect(Uint8Array.from(received)).toEqual(sent)
  expect(to.getConnections(from.peerId)).toHaveLength(1)
})

test('a stranger without a certificate is dropped, and the host goes on', async () => {
  const host = await startHost()
  const address = host.getMultiaddrs()[0]!
  const socket = connectTcp(Number(address.toString().split('/')[4]), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n', 'latin1')
  let answer = ''
  while (!answer.includes('/tls/1.0.0\n')) answer += (await once(socket, 'data'))[0].toString('latin1')
  const secured = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['libp2p'] })
  secured.on('error', () => undefined).resume()
  await new Promise((resolve) => secured.on('close', resolve))
  const other = await startHost()
  const connection = await other.dial(multiaddr(address.toString()))
  expect(connection.remotePeer.equals(host.peerId)).toBe(true)
})

test('a handshake that is given up leaves no connection', async () => {
  const host = await startHost()
  const address = host.getMultiaddrs()[0]!
  const socket = connectTcp(Number(address.toString().split('/')[4]), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n', 'latin1')
  socket.on('error', () => undefined).resume()
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.end()
  await closed
  expect(host.getConnections()).toHaveLength(0)
})
