/**
 * The Wire port over libp2p and TCP. Turns libp2p's failures into WireErrors, bounds every wait, and never looks for a
 * peer by asking strangers: only given, heard-of and connected addresses are dialled.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { Connection, Stream } from '@libp2p/interface'
import { type Milliseconds, milliseconds, type PeerId, peerId } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import { type Acceptor, createAcceptor } from './acceptor.ts'
import { type AddressParser, loadAddressParser } from './address.ts'
import { withDeadline } from './deadline.ts'
import { createDialler, type Dialler } from './dialler.ts'
import { createHost, type Host, networkTag, pingProtocol, streamLimits, wireProtocol } from './host.ts'
import { createStreamLink } from './libp2p-link.ts'
import { listenFailure } from './listen-failure.ts'
import { parseNodeKey } from './node-key.ts'
import { boundedAddresses, createPeerBook, type PeerBook } from './peer-book.ts'
import { announce, searchProviders } from './providers.ts'
import {
  type Channel,
  type ChannelHandler,
  type PeerAddress,
  type ProtocolId,
  type ProtocolOptions,
  type Wire,
  WireError,
} from './wire.ts'
import { firstOf, stopped, unreachable, unsupported } from './wire-errors.ts'

export interface Libp2pWireOptions {
  /** Peers of other networks are neither discovered nor understood. */
  readonly networkId: string
  /** Protobuf bytes of an Ed25519 key (net/node-key.ts); a new identity without. */
  readonly privateKey?: Uint8Array
  /** Multiaddrs such as `/ip4/0.0.0.0/tcp/4001`; empty: a thin client that only dials. */
  readonly listen: readonly string[]
  /** Find and be found by peers on the local network. */
  readonly mdns: boolean
  /** Take part in the DHT: as a server when listening, else as a client. Without it nothing can be provided or found. */
  readonly dht: boolean
  /** Multiaddrs to stay connected to. */
  readonly bootstrap?: readonly string[]
  /** Only these peers may connect or be dialled. */
  readonly allow?: readonly PeerId[]
}

export interface Libp2pWirePorts {
  readonly clock: Clock
  readonly log: Log
}

/** A running wire. NODE_KEY_BAD, WIRE_PORT_IN_USE, WIRE_LISTEN_FAILED. */
export async function createLibp2pWire(options: Libp2pWireOptions, ports: Libp2pWirePorts): Promise<Wire> {
  const book = createPeerBook()
  const discovered = { report: (_peer: PeerAddress): void => undefined }
  const [parseAddress, privateKey] = await Promise.all([
    loadAddressParser(),
    options.privateKey ? parseNodeKey(options.privateKey) : undefined,
  ])
  const host = await createHost({
    networkId: options.networkId,
    privateKey,
    listen: options.listen,
    mdns: options.mdns,
    dht: options.dht,
    allow: options.allow && new Set(options.allow),
    onLocalPeer: ({ id, multiaddrs }) =>
      discovered.report({ peer: peerId(id.toString()), addresses: multiaddrs.map(String) }),
  })
  const wire = new Libp2pWire(host, { options, ports, book, parseAddress })
  discovered.report = (peer) => wire.onDiscovered(peer)
  await wire.start()
  return wire
}

interface Parts {
  readonly options: Libp2pWireOptions
  readonly ports: Libp2pWirePorts
  readonly book: PeerBook
  readonly parseAddress: AddressParser
}

class Libp2pWire implements Wire {
  readonly peer: PeerId
  readonly #host: Host
  readonly #options: Libp2pWireOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #book: PeerBook
  readonly #parseAddress: AddressParser
  readonly #acceptor: Acceptor
  readonly #dialler: Dialler
  readonly #tag: string
  #stopping: Promise<void> | undefined

  constructor(host: Host, { options, ports, book, parseAddress }: Parts) {
    this.peer = peerId(host.peerId.toString())
    this.#host = host
    this.#options = options
    this.#clock = ports.clock
    this.#log = ports.log
    this.#book = book
    this.#parseAddress = parseAddress
    this.#acceptor = createAcceptor(ports.log)
    this.#tag = networkTag(options.networkId)
    this.#dialler = createDialler(
      { self: this.peer, listens: options.listen.length > 0, bootstrap: options.bootstrap ?? [] },
      {
        ...ports,
        connectedPeers: () => this.connectedPeers(),
        connect: (address) => this.connect(address),
        dial: async (peer) => {
          await this.#deadline(DEADLINES.dialMs, undefined, (limit) => this.#connection(peer, limit))
        },
      },
    )
  }

  async start(): Promise<void> {
    this.#host.addEventListener('peer:update', ({ detail: { peer } }) => {
      const addresses = peer.addresses.map(({ multiaddr }) => multiaddr.toString())
      this.#book.note(peerId(peer.id.toString()), addresses)
    })
    this.#host.addEventListener('connection:open', ({ detail }) => {
      this.#book.note(peerId(detail.remotePeer.toString()), [])
    })
    try {
      await this.#host.start()
    } catch (error) {
      throw listenFailure(error, this.#options.listen)
    }
    this.#dialler.start()
  }

  onDiscovered(peer: PeerAddress): void {
    if (this.#stopping) return
    this.#book.note(peer.peer, peer.addresses)
    this.#dialler.found(peer)
  }

  addresses(): readonly string[] {
    if (this.#options.listen.length === 0 || this.#stopping) return []
    return this.#host.getMultiaddrs().map((address) => address.toString())
  }

  async handle(protocol: ProtocolId, options: ProtocolOptions, handler: ChannelHandler): Promise<void> {
    this.#assertRunning()
    this.#acceptor.handle(protocol, options, handler)
    const accept = (stream: Stream, connection: Connection): void => {
      const peer = peerId(connection.remotePeer.toString())
      this.#acceptor.accept(peer, protocol, createStreamLink(stream, this.#clock))
    }
    await this.#host.handle(wireProtocol(protocol, this.#tag), accept, streamLimits(options.channelsPerPeerMax))
  }

  async open(to: PeerAddress, protocol: ProtocolId, options: ProtocolOptions, signal?: AbortSignal): Promise<Channel> {
    return await this.#reaching(to.peer, signal, async (limit) => {
      const connection = await this.#connection(to, limit)
      const stream = await this.#stream(connection, protocol, limit)
      const link = createStreamLink(stream, this.#clock)
      const { messageBytesMax } = options
      const channel = this.#acceptor.open(to.peer, protocol, { link, messageBytesMax })
      try {
        await channel.accepted(limit)
      } catch (error) {
        channel.abort('the opening failed')
        limit.throwIfAborted()
        throw connection.status === 'open' ? unsupported(protocol, to.peer, error) : unreachable(to.peer, error)
      }
      return channel
    })
  }

  async connect(address: string, signal?: AbortSignal): Promise<PeerId> {
    return await this.#reaching(address, signal, async (limit) => {
      const target = this.#parseAddress(address)
      if (!target) throw unreachable(address, new Error('that is no address'))
      const open = this.#openConnections().find(({ remoteAddr }) => remoteAddr.toString().startsWith(`${address}/p2p/`))
      const connection = open ?? (await this.#host.dial(target, { signal: limit }))
      return peerId(connection.remotePeer.toString())
    })
  }

  connectedPeers(): readonly PeerId[] {
    return [...new Set(this.#openConnections().map(({ remotePeer }) => peerId(remotePeer.toString())))]
  }

  knownPeers(): readonly PeerAddress[] {
    return this.#book.list().filter(({ peer }) => peer !== this.peer)
  }

  async provide(key: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#assertRunning()
    if (!this.#options.dht) return
    await announce(key, { host: this.#host, clock: this.#clock, log: this.#log }, signal)
  }

  async *findProviders(key: Uint8Array, signal?: AbortSignal): AsyncIterable<PeerAddress> {
    this.#assertRunning()
    if (!this.#options.dht) return
    yield* searchProviders(key, { host: this.#host, clock: this.#clock, log: this.#log }, signal)
  }

  async ping(peer: PeerId, signal?: AbortSignal): Promise<Milliseconds> {
    return await this.#reaching(peer, signal, async (limit) => {
      const connection = this.#connectionTo(peer)
      if (!connection) throw unreachable(peer)
      return milliseconds(await this.#host.services.ping.ping(connection.remotePeer, { signal: limit }))
    })
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown()
    return this.#stopping
  }

  async #shutDown(): Promise<void> {
    this.#dialler.stop()
    try {
      await this.#deadline(DEADLINES.shutdownMs, undefined, async (limit) => {
        await this.#acceptor.shutDown(stopped())
        await this.#flush(limit)
        await this.#host.stop()
      })
    } catch (error) {
      this.#log.write('warn', 'wire.stop_forced', { message: messageOf(error) })
      for (const connection of this.#host.getConnections()) connection.abort(stopped())
    }
  }

  /**
   * Waits until the other sides have what was sent: closing a connection closes the socket under the encryption, and
   * what waits to be encrypted is lost. A round trip on the same connection proves the arrival of all before it.
   */
  async #flush(signal: AbortSignal): Promise<void> {
    const roundTrip = async (connection: Connection): Promise<void> => {
      const stream = await connection.newStream(pingProtocol(this.#tag), { signal })
      stream.abort(stopped())
    }
    await this.#deadline(DEADLINES.channelCloseMs, signal, () =>
      Promise.allSettled(this.#openConnections().map(roundTrip)),
    ).catch(() => undefined)
  }

  #openConnections(): Connection[] {
    return this.#host.getConnections().filter(({ status }) => status === 'open')
  }

  #connectionTo(peer: PeerId): Connection | undefined {
    return this.#openConnections().find(({ remotePeer }) => remotePeer.toString() === peer)
  }

  async #connection(to: PeerAddress, signal: AbortSignal): Promise<Connection> {
    const open = this.#connectionTo(to.peer)
    if (open) return open
    const known = boundedAddresses([...to.addresses, ...this.#book.addressesOf(to.peer)])
    const targets = known.flatMap((address) => this.#parseAddress(address, to.peer) ?? [])
    // With an empty list libp2p would ask the DHT for the peer, which takes seconds.
    if (targets.length === 0) throw unreachable(to.peer, new Error('no usable address is known'))
    return await this.#host.dial(targets, { signal })
  }

  async #stream(connection: Connection, protocol: ProtocolId, signal: AbortSignal): Promise<Stream> {
    const peer = peerId(connection.remotePeer.toString())
    try {
      const maxOutboundStreams = WIRE_LIMITS.channelsPerPeerMax
      return await connection.newStream(wireProtocol(protocol, this.#tag), { signal, maxOutboundStreams })
    } catch (error) {
      signal.throwIfAborted()
      throw connection.status === 'open' ? unsupported(protocol, peer, error) : unreachable(peer, error)
    }
  }

  /** `work` within the dial deadline, its failures as WireErrors. */
  async #reaching<Value>(
    whom: string,
    signal: AbortSignal | undefined,
    work: (limit: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    this.#assertRunning()
    try {
      return await this.#deadline(DEADLINES.dialMs, signal, work)
    } catch (error) {
      signal?.throwIfAborted()
      this.#assertRunning()
      throw error instanceof WireError ? error : unreachable(whom, firstOf(error))
    }
  }

  #deadline<Value>(limitMs: number, signal: AbortSignal | undefined, work: (limit: AbortSignal) => Promise<Value>) {
    return withDeadline({ clock: this.#clock, limitMs, signal }, work)
  }

  #assertRunning(): void {
    if (this.#stopping) throw stopped()
  }
}
