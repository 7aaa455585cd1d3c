/**
 * MemoryWire: the Wire port inside one process, for tests and for programs that are a whole network by themselves.
 * Addresses are `/memory/PEER`. Knows its network only as a hub.
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Milliseconds, milliseconds, type PeerId } from '../base/brand.ts'
import { WIRE_LIMITS } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import { type Acceptor, createAcceptor } from './acceptor.ts'
import { createDialler, type Dialler } from './dialler.ts'
import { createLinkPair, type Pair, sendApart, vanish } from './memory-link.ts'
import { createMemoryNews, type MemoryNews, type MemoryNewsItem } from './memory-news.ts'
import type { Transit } from './memory-transit.ts'
import { createNewsDesk } from './news.ts'
import { createPeerGate, type PeerGate } from './peer-gate.ts'
import type {
  Channel,
  ChannelHandler,
  NewsHandler,
  NewsOptions,
  PeerAddress,
  PeerConduct,
  ProtocolId,
  ProtocolOptions,
  Topic,
  Wire,
  WireError,
} from './wire.ts'
import { stopped, unreachable, unsupported } from './wire-errors.ts'

export interface MemoryWireOptions {
  readonly peer?: PeerId
  /** A wire that does not listen can dial, and be reached over connections that it made. */
  readonly listen: boolean
  /** Addresses to stay connected to; needs the network's clock. */
  readonly bootstrap?: readonly string[]
  /** Only these peers may connect or be dialled. */
  readonly allow?: readonly PeerId[]
}

/** What the wires of one network share. */
export interface MemoryHub {
  readonly clock: Clock | undefined
  readonly log: Log
  readonly transit: Transit
  readonly wires: Map<PeerId, MemoryWire>
  /** Hex key to peers. */
  readonly providers: Map<string, Set<PeerId>>
  pair(first: PeerId, second: PeerId): Pair
  /** Cut off from each other, by a cut or a partition. */
  isParted(first: PeerId, second: PeerId): boolean
}

const ADDRESS = /^\/memory\/([^/]+)(?:\/p2p\/([^/]+))?$/

export class MemoryWire implements Wire {
  readonly peer: PeerId
  readonly listens: boolean
  readonly #hub: MemoryHub
  readonly acceptor: Acceptor
  readonly news: MemoryNews
  readonly gate: PeerGate
  readonly #dialler: Dialler | undefined
  readonly #known = new Set<PeerId>()
  #stopped: WireError | undefined

  constructor(hub: MemoryHub, peer: PeerId, options: MemoryWireOptions) {
    this.#hub = hub
    this.peer = peer
    this.listens = options.listen
    this.acceptor = createAcceptor(hub.log)
    const now = (): Milliseconds => hub.clock?.now() ?? milliseconds(0)
    this.gate = createPeerGate(options.allow, { clock: { now }, log: hub.log })
    this.news = createMemoryNews({
      desk: createNewsDesk(hub.log),
      now,
      judge: (other, verdict) => this.judge(other, verdict),
      listeners: (topic) => this.connectedPeers().filter((other) => hub.wires.get(other)?.news.hears(topic)),
      send: (to, item) => this.#sendNews(to, item),
    })
    this.#dialler = options.bootstrap && this.#createDialler(options.bootstrap)
  }

  /** Once it is on the network. */
  start(): void {
    this.#dialler?.start()
  }

  #createDialler(bootstrap: readonly string[]): Dialler {
    const { clock, log } = this.#hub
    assert(clock, 'a memory wire with bootstrap addresses needs a clock')
    return createDialler(
      { self: this.peer, listens: this.listens, bootstrap },
      {
        clock,
        log,
        connectedPeers: () => this.connectedPeers(),
        connect: (address) => this.connect(address),
        dial: async ({ peer, addresses }) => {
          this.#dial(peer, addresses)
        },
      },
    )
  }

  addresses(): readonly string[] {
    return this.listens && !this.#stopped ? [`/memory/${this.peer}`] : []
  }

  async handle(protocol: ProtocolId, options: ProtocolOptions, handler: ChannelHandler): Promise<void> {
    this.#assertRunning()
    this.acceptor.handle(protocol, options, handler)
  }

  async open(to: PeerAddress, protocol: ProtocolId, options: ProtocolOptions, signal?: AbortSignal): Promise<Channel> {
    this.#assertRunning()
    const remote = this.#dial(to.peer, to.addresses)
    await this.#travel(to.peer, signal)
    if (!remote.acceptor.serves(protocol)) throw unsupported(protocol, to.peer)
    const pair = this.#hub.pair(this.peer, to.peer)
    if (!pair.connected) throw unreachable(to.peer)
    const [ours, theirs] = createLinkPair(pair, this.#hub.transit)
    const channel = this.acceptor.open(to.peer, protocol, { link: ours, messageBytesMax: options.messageBytesMax })
    remote.acceptor.accept(this.peer, protocol, theirs)
    try {
      await channel.accepted(signal)
    } catch (error) {
      channel.abort('the opening failed')
      signal?.throwIfAborted()
      this.#assertRunning()
      throw pair.connected ? unsupported(protocol, to.peer, error) : unreachable(to.peer, error)
    }
    return channel
  }

  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void {
    this.#assertRunning()
    this.news.subscribe(topic, options, handler)
  }

  async publish(topic: Topic, message: Uint8Array): Promise<number> {
    this.#assertRunning()
    return this.news.publish(topic, message)
  }

  judge(peer: PeerId, conduct: PeerConduct): void {
    if (this.gate.judge(peer, conduct)) vanish(this.#hub.pair(this.peer, peer))
  }

  async connect(address: string, signal?: AbortSignal): Promise<PeerId> {
    this.#assertRunning()
    const [, peer, expected] = ADDRESS.exec(address) ?? []
    const found = [...this.#hub.wires.keys()].find((known) => known === peer)
    if (!found || (expected && expected !== peer)) throw unreachable(address)
    this.#dial(found, [address])
    await this.#travel(found, signal)
    return found
  }

  connectedPeers(): readonly PeerId[] {
    return [...this.#hub.wires.keys()].filter((peer) => peer !== this.peer && this.#isConnected(peer))
  }

  knownPeers(): readonly PeerAddress[] {
    return [...this.#known].map((peer) => this.#addressOf(peer))
  }

  async provide(key: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#assertRunning()
    signal?.throwIfAborted()
    const text = keyText(key)
    const peers = this.#hub.providers.get(text) ?? new Set()
    this.#hub.providers.set(text, peers.add(this.peer))
  }

  async *findProviders(key: Uint8Array, signal?: AbortSignal): AsyncIterable<PeerAddress> {
    this.#assertRunning()
    for (const peer of this.#hub.providers.get(keyText(key)) ?? []) {
      if (signal?.aborted) return
      if (peer !== this.peer) yield this.#addressOf(peer)
    }
  }

  async ping(peer: PeerId, signal?: AbortSignal): Promise<Milliseconds> {
    this.#assertRunning()
    if (!this.#isConnected(peer)) throw unreachable(peer)
    const there = await this.#travel(peer, signal)
    const back = await this.#travel(peer, signal)
    return milliseconds(there + back)
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = stopped()
    this.#endBackground()
    await this.acceptor.shutDown(this.#stopped)
    for (const peer of this.#leave()) this.#hub.pair(this.peer, peer).connected = false
  }

  /** As SIGKILL. */
  kill(): void {
    this.#stopped = stopped()
    this.#endBackground()
    for (const peer of this.#leave()) vanish(this.#hub.pair(this.peer, peer))
  }

  learn(peer: PeerId): void {
    if (this.#known.size < WIRE_LIMITS.knownPeersMax) this.#known.add(peer)
  }

  #endBackground(): void {
    this.#dialler?.stop()
    this.news.stop()
  }

  #sendNews(to: PeerId, item: MemoryNewsItem): void {
    const { transit } = this.#hub
    const pair = this.#hub.pair(this.peer, to)
    const arrive = (): void => void this.#hub.wires.get(to)?.news.hear(item, this.peer)
    for (let copies = transit.newsCopies(); copies > 0; copies--) sendApart(pair, transit, arrive)
  }

  /** Gives the peers whose connections are left to close. */
  #leave(): readonly PeerId[] {
    const connected = this.connectedPeers()
    this.#hub.wires.delete(this.peer)
    for (const peers of this.#hub.providers.values()) peers.delete(this.peer)
    return connected
  }

  #isConnected(peer: PeerId): boolean {
    return this.#hub.pair(this.peer, peer).connected
  }

  #addressOf(peer: PeerId): PeerAddress {
    return { peer, addresses: this.#hub.wires.get(peer)?.addresses() ?? [] }
  }

  /** Connects both sides, unless they are; the journey's time is the caller's to wait. */
  #dial(peer: PeerId, addresses: readonly string[]): MemoryWire {
    const refusal = this.gate.refusal(peer)
    if (refusal) throw refusal
    const remote = this.#hub.wires.get(peer)
    const pair = this.#hub.pair(this.peer, peer)
    if (!remote || this.#hub.isParted(this.peer, peer) || peer === this.peer) throw unreachable(peer)
    if (remote.gate.refusal(this.peer)) throw unreachable(peer)
    if (!pair.connected) {
      const named = addresses.some((address) => ADDRESS.exec(address)?.[1] === peer)
      if (!remote.listens || !(named || this.#known.has(peer))) throw unreachable(peer)
      pair.connected = true
      pair.connections++
      this.learn(peer)
      remote.learn(this.peer)
    }
    return remote
  }

  #travel(peer: PeerId, signal: AbortSignal | undefined): Promise<Milliseconds> {
    return this.#hub.transit.travel(this.#hub.pair(this.peer, peer).delayMs, signal)
  }

  #assertRunning(): void {
    if (this.#stopped) throw this.#stopped
  }
}

function keyText(key: Uint8Array): string {
  assert(key.length === 32, 'the key of a provider record is a 32-byte digest')
  return Buffer.from(key).toString('hex')
}
