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
import { createLinkPair, type Pair, vanish } from './memory-link.ts'
import type { Channel, ChannelHandler, PeerAddress, ProtocolId, ProtocolOptions, Wire, WireError } from './wire.ts'
import { stopped, unreachable, unsupported } from './wire-errors.ts'

export interface MemoryWireOptions {
  readonly peer?: PeerId
  /** A wire that does not listen can dial, and be reached over connections that it made. */
  readonly listen: boolean
}

/** What the wires of one network share. */
export interface MemoryHub {
  readonly clock: Clock | undefined
  readonly log: Log
  readonly wires: Map<PeerId, MemoryWire>
  /** Hex key to peers. */
  readonly providers: Map<string, Set<PeerId>>
  pair(first: PeerId, second: PeerId): Pair
}

const ADDRESS = /^\/memory\/([^/]+)(?:\/p2p\/([^/]+))?$/

export class MemoryWire implements Wire {
  readonly peer: PeerId
  readonly listens: boolean
  readonly #hub: MemoryHub
  readonly acceptor: Acceptor
  readonly #known = new Set<PeerId>()
  #stopped: WireError | undefined

  constructor(hub: MemoryHub, peer: PeerId, options: MemoryWireOptions) {
    this.#hub = hub
    this.peer = peer
    this.listens = options.listen
    this.acceptor = createAcceptor(hub.log)
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
    const [ours, theirs] = createLinkPair(pair, this.#hub.clock)
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
    await this.#travel(peer, signal)
    await this.#travel(peer, signal)
    return milliseconds(2 * (this.#hub.pair(this.peer, peer).delayMs ?? 0))
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = stopped()
    await this.acceptor.shutDown(this.#stopped)
    for (const peer of this.#leave()) this.#hub.pair(this.peer, peer).connected = false
  }

  /** As SIGKILL. */
  kill(): void {
    this.#stopped = stopped()
    for (const peer of this.#leave()) vanish(this.#hub.pair(this.peer, peer))
  }

  learn(peer: PeerId): void {
    if (this.#known.size < WIRE_LIMITS.knownPeersMax) this.#known.add(peer)
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
    const remote = this.#hub.wires.get(peer)
    const pair = this.#hub.pair(this.peer, peer)
    if (!remote || pair.cut || peer === this.peer) throw unreachable(peer)
    if (!pair.connected) {
      const named = addresses.some((address) => ADDRESS.exec(address)?.[1] === peer)
      if (!remote.listens || !(named || this.#known.has(peer))) throw unreachable(peer)
      pair.connected = true
      this.learn(peer)
      remote.learn(this.peer)
    }
    return remote
  }

  async #travel(peer: PeerId, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const { delayMs } = this.#hub.pair(this.peer, peer)
    if (!delayMs) return
    assert(this.#hub.clock, 'a memory network with delays needs a clock')
    await this.#hub.clock.sleep(delayMs, signal)
  }

  #assertRunning(): void {
    if (this.#stopped) throw this.#stopped
  }
}

function keyText(key: Uint8Array): string {
  assert(key.length === 32, 'the key of a provider record is a 32-byte digest')
  return Buffer.from(key).toString('hex')
}
