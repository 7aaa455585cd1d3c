/**
 * The Wire port over bare TCP, for comparison: the product's channels and frames on one plain socket per channel, without encryption,
 * multiplexing, proof of identity or discovery. A socket begins with a line of JSON that says who opens which protocol.
 * @module
 */
import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { milliseconds, type PeerId, peerId } from '../../src/base/brand.ts'
import type { Log } from '../../src/base/ports.ts'
import { createAcceptor } from '../../src/net/acceptor.ts'
import type { ByteLink } from '../../src/net/channel.ts'
import type { ProtocolId, Wire } from '../../src/net/wire.ts'
import { stopped, unreachable } from '../../src/net/wire-errors.ts'

export interface TcpWireOptions {
  readonly peer: PeerId
  /** IPv4 address to listen at; a client does not. */
  readonly address?: string | undefined
}

interface Greeting {
  readonly peer: string
  readonly protocol: ProtocolId
}

const LINE_BREAK = 10

export async function createTcpWire({ peer, address }: TcpWireOptions, { log }: { log: Log }): Promise<Wire> {
  const acceptor = createAcceptor(log)
  const server = address === undefined ? undefined : await listen(address)
  server?.on('connection', (socket) => {
    greetingOf(socket, ({ peer: from, protocol }) => {
      if (acceptor.serves(protocol)) acceptor.accept(peerId(from), protocol, linkOn(socket))
      else socket.destroy()
    })
  })
  const listener = server?.address()
  const addresses =
    listener != null && typeof listener === 'object' ? [`/ip4/${listener.address}/tcp/${listener.port}`] : []
  const missing = (): never => {
    throw new Error('bare TCP has channels only')
  }
  return {
    peer,
    addresses: () => addresses,
    handle: async (protocol, options, handler) => acceptor.handle(protocol, options, handler),
    async open(to, protocol, { messageBytesMax }, signal = new AbortController().signal) {
      const [, host, port] = /^\/ip4\/([^/]+)\/tcp\/(\d+)/.exec(to.addresses[0] ?? '') ?? []
      if (host === undefined) throw unreachable(to.peer)
      const socket = createConnection({ host, port: Number(port) })
      socket.setNoDelay(true)
      await once(socket, 'connect', { signal })
      socket.write(`${JSON.stringify({ peer, protocol } satisfies Greeting)}\n`)
      const channel = acceptor.open(to.peer, protocol, { link: linkOn(socket), messageBytesMax })
      await channel.accepted(signal)
      return channel
    },
    ...{ subscribe: missing, publish: missing, connect: missing, findProviders: missing },
    ...{ connectedPeers: () => [], knownPeers: () => [], judge: () => undefined },
    provide: async () => undefined,
    ping: async () => milliseconds(0),
    stop: async () => {
      await acceptor.shutDown(stopped())
      server?.close()
    },
  }
}

async function listen(address: string): Promise<Server> {
  const server = createServer({ noDelay: true })
  server.listen(0, address)
  await once(server, 'listening')
  return server
}

/** Reads the first line; what follows it stays in the socket. */
function greetingOf(socket: Socket, greet: (greeting: Greeting) => void): void {
  let head = Buffer.alloc(0)
  const onData = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes])
    const end = head.indexOf(LINE_BREAK)
    if (end < 0) return
    socket.off('data', onData)
    socket.pause()
    if (head.length > end + 1) socket.unshift(head.subarray(end + 1))
    greet(JSON.parse(head.toString('utf8', 0, end)) as Greeting)
  }
  socket.on('data', onData)
  socket.on('error', () => socket.destroy())
}

function linkOn(socket: Socket): ByteLink {
  return {
    attach(sink) {
      socket.on('data', (bytes) => sink.data(bytes))
      socket.on('end', () => sink.finished())
      socket.on('drain', () => sink.drained())
      socket.on('error', (error) => sink.gone(error))
      socket.on('close', () => sink.gone())
      socket.resume()
    },
    send: (bytes) => void socket.write(bytes),
    get unsentBytes() {
      return socket.writableLength
    },
    finish: async () => {
      if (!socket.destroyed) await new Promise<void>((resolve) => socket.end(resolve))
    },
    reset: () => socket.destroy(),
  }
}
