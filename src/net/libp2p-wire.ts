/**
 * The Wire port over libp2p and TCP. Turns libp2p's failures into WireErrors and bounds every wait.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { Connection, Stream } from '@libp2p/interface'
import { assert } from '../base/assert.ts'
import { type Milliseconds, milliseconds, type PeerId, peerId } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { DEADLINES } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import { type Acceptor, createAcceptor } from './acceptor.ts'
import { type AddressParser, loadAddressParser } from './address.ts'
import { withDeadline } from './deadline.ts'
import { createDialler, type Dialler } from './dialler.ts'
import { gossipOptions } from './gossip-options.ts'
import { createHost, type Host, networkTag, streamLimits, wireProtocol } from './host.ts'
import { type Connections, createConnections } from './libp2p-connections.ts'
import { createStreamLink } from './libp2p-link.ts'
import { createGossipNews, type GossipNews, topicFilter } from './libp2p-news.ts'
import { listenFailure } from './listen-failure.ts'
import { createNewsDesk, type NewsDesk } from './news.ts'
import { parseNodeKey } from './node-key.ts'
import { createPeerBook, type PeerBook } from './peer-book.ts'
import { createPeerGate, type PeerGate } from './peer-gate.ts'
import { announce, searchProviders } from './providers.ts'
import {
  type Channel,
  type ChannelHandler,
  type NewsHandler,
  type NewsOptions,
  type PeerAddress,
  type PeerConduct,
  type ProtocolId,
  type ProtocolOptions,
  type Topic,
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
  /** Tell and hear news; default no, for a client that needs none loads less. */
  readonly news?: boolean
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
  const gate = createPeerGate(options.allow, ports)
  const desk = createNewsDesk(ports.log)
  const takes = topicFilter(desk, networkTag(options.networkId))
  const discovered = { report: (_peer: PeerAddress): void => undefined }
  const [parseAddress, privateKey] = await Promise.all([
    loadAddressParser(),
    options.privateKey ? parseNodeKey(options.privateKey) : undefined,
  ])
  const host = await createHost({
    clock: ports.clock,
    networkId: options.networkId,
    privateKey,
    listen: options.listen,
    mdns: options.mdns,
    dht: options.dht,
    news: options.news ? gossipOptions(gate, takes) : undefined,
    denies: (peer) => gate.refusal(peer) !== undefined,
    onLocalPeer: ({ id, multiaddrs }) =>
      discovered.report({ peer: peerId(id.toString()), addresses: multiaddrs.map(String) }),
  })
  const wire = new Libp2pWire(host, { options, ports, book, gate, desk, parseAddress })
  discovered.report = (peer) => wire.onDiscovered(peer)
  await wire.start()
  return wire
}

interface Parts {
  readonly options: Libp2pWireOptions
  readonly ports: Libp2pWirePorts
  readonly book: PeerBook
  readonly gate: PeerGate
  readonly desk: NewsDesk
  readonly parseAddress: AddressParser
}

class Libp2pWire implements Wire {
  readonly peer: PeerId
  readonly #host: Host
  readonly #options: Libp2pWireOptions
  readonly #clock: Clock
  readonly #log: Log
  readonly #book: PeerBook
  readonly #gate: PeerGate
  readonly #connections: Connections
  readonly #news: GossipNews | undefined
  readonly #acceptor: Acceptor
  readonly #dialler: Dialler
  readonly #tag: string
  #stopping: Promise<void> | undefined

  constructor(host: Host, { options, ports, book, gate, desk, parseAddress }: Parts) {
    this.peer = peerId(host.peerId.toString())
    this.#host = host
    this.#options = options
    this.#clock = ports.clock
    this.#log = ports.log
    this.#book = book
    this.#gate = gate
    this.#acceptor = createAcceptor(ports.log)
    this.#tag = networkTag(options.networkId)
    this.#connections = createConnections(this.#tag, { host, book, parseAddress, gate, clock: ports.clock })
    this.#news =
      host.services.news &&
      createGossipNews(host.services.news, this.#tag, {
        ...ports,
        desk,
        judge: (peer, verdict) => this.judge(peer, verdict),
        self: this.peer,
        connectionsTo: (peer) => this.#connections.to(peer),
      })
    this.#dialler = createDialler(
      { self: this.peer, listens: options.listen.length > 0, bootstrap: options.bootstrap ?? [] },
      {
        ...ports,
        connectedPeers: () => this.connectedPeers(),
        connect: (address) => this.connect(address),
        dial: async (peer) => {
          await this.#deadline(DEADLINES.dialMs, undefined, (limit) => this.#connections.reach(peer, limit))
        },
      },
    )
  }

  async start(): Promise<void> {
    this.#connections.watch((peer) => this.#news?.connected(peer))
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
      const connection = await this.#connections.reach(to, limit)
      const stream = await this.#connections.stream(connection, protocol, limit)
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
      const connection = await this.#connections.reachAddress(address, limit)
      return peerId(connection.remotePeer.toString())
    })
  }

  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void {
    this.#assertRunning()
    this.#newsOf().subscribe(topic, options, handler)
  }

  async publish(topic: Topic, message: Uint8Array): Promise<number> {
    this.#assertRunning()
    const recipients = await this.#newsOf().publish(topic, message)
    this.#assertRunning()
    return recipients
  }

  judge(peer: PeerId, conduct: PeerConduct): void {
    if (this.#gate.judge(peer, conduct)) this.#connections.cut(new Error('this peer is banned'), peer)
  }

  connectedPeers(): readonly PeerId[] {
    return this.#connections.peers()
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
      const [connection] = this.#connections.to(peer)
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
    this.#news?.stop()
    try {
      await this.#deadline(DEADLINES.shutdownMs, undefined, async (limit) => {
        await this.#acceptor.shutDown(stopped())
        await this.#connections.flush(limit)
        await this.#host.stop()
      })
    } catch (error) {
      this.#log.write('warn', 'wire.stop_forced', { message: messageOf(error) })
      this.#connections.cut(stopped())
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

  #newsOf(): GossipNews {
    assert(this.#news, 'this wire was made without news')
    return this.#news
  }

  #assertRunning(): void {
    if (this.#stopping) throw stopped()
  }
}
