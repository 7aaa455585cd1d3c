import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { withDirectMessages } from '../../../src/net/direct-messages.ts'
import { tlsOnSockets } from '../../../src/net/libp2p-tls.ts'
import { realClock } from '../../contract/real-clock.ts'

const PROTOCOL = '/test/1'
const nodes: Libp2p[] = []
/** Two ends of one stream: ours is direct. */
let ours: Stream
let theirs: Stream

async function start(listen: string[]): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [tlsOnSockets(realClock)],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  nodes.push(node)
  return node
}

beforeEach(async () => {
  const server = await start(['/ip4/127.0.0.1/tcp/0'])
  const opened = Promise.withResolvers<Stream>()
  await server.handle(PROTOCOL, (stream) => opened.resolve(stream))
  const client = await start([])
  ours = withDirectMessages(await client.dialProtocol(server.getMultiaddrs()[0]!, PROTOCOL))
  theirs = await opened.promise
})

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
})

/** Bytes that a new listener hears, and the listener. */
function listen(): { heard: number[]; listener: (event: StreamMessageEvent) => void } {
  const heard: number[] = []
  const listener = ({ data }: StreamMessageEvent): void => void heard.push(...data.subarray())
  ours.addEventListener('message', listener)
  return { heard, listener }
}

const arrive = (heard: readonly number[], ...bytes: number[]) => vi.waitFor(() => expect(heard).toEqual(bytes))

test('every listener hears what comes, and none that is gone', async () => {
  const first = listen()
  const second = listen()
  theirs.send(Uint8Array.of(1, 2))
  await arrive(first.heard, 1, 2)
  expect(second.heard).toEqual([1, 2])
  ours.removeEventListener('message', first.listener)
  theirs.send(Uint8Array.of(3))
  await arrive(second.heard, 1, 2, 3)
  expect(first.heard).toEqual([1, 2])
})

test('what came before anybody listened comes first', async () => {
  theirs.send(Uint8Array.of(1, 2))
  await vi.waitFor(() => expect(ours.readBufferLength).toBe(2))
  const { heard } = listen()
  theirs.send(Uint8Array.of(3))
  await arrive(heard, 1, 2, 3)
})

test('what was put back comes before what comes next', async () => {
  const { heard } = listen()
  ours.unshift(Uint8Array.of(1))
  // As the multiplexer calls it; in the same turn, so that it cannot come late.
  const receiver = ours as Stream & { onData(data: Uint8Array): void }
  receiver.onData(Uint8Array.of(2))
  await arrive(heard, 1, 2)
})

test('a stream that is paused holds back, and goes on in order', async () => {
  const { heard } = listen()
  ours.pause()
  theirs.send(Uint8Array.of(1))
  theirs.send(Uint8Array.of(2))
  await vi.waitFor(() => expect(ours.readBufferLength).toBe(2))
  expect(heard).toEqual([])
  ours.resume()
  theirs.send(Uint8Array.of(3))
  await arrive(heard, 1, 2, 3)
})

test('the end comes after all that was sent', async () => {
  const { heard } = listen()
  const ended = new Promise<number[]>((resolve) => {
    ours.addEventListener('remoteCloseWrite', () => resolve([...heard]))
  })
  // More than one record of TLS.
  const long = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251)
  theirs.send(long)
  await theirs.close()
  expect(await ended).toEqual([...long])
})
