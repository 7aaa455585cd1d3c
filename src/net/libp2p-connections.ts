/**
 * Connections of our libp2p node: finding an open one, making one, opening streams on it, emptying and cutting it. Never
 * looks for a peer by asking strangers: only given, heard-of and connected addresses are dialled.
 * Spec: docs/spec/wire.md §2.3.
 * @module
 */
import type { Connection, Stream } from '@libp2p/interface'
import { type PeerId, peerId } from '../base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { AddressParser } from './address.ts'
import { withDeadline } from './deadline.ts'
import { type Host, pingProtocol, wireProtocol } from './host.ts'
import { boundedAddresses, type PeerBook } from './peer-book.ts'
import type { PeerGate } from './peer-gate.ts'
import type { PeerAddress, ProtocolId } from './wire.ts'
import { stopped, unreachable, unsupported } from './wire-errors.ts'

export interface ConnectionsPorts {
  readonly host: Host
  readonly book: PeerBook
  readonly parseAddress: AddressParser
  readonly gate: PeerGate
  readonly clock: Clock
}

export interface Connections {
  /** From now on notes in the book whom it meets, and tells of each connection made. */
  watch(onOpen: (peer: PeerId) => void): void
  /** Peers with an open connection. */
  peers(): readonly PeerId[]
  /** The open ones, at most a few. */
  to(peer: PeerId): readonly Connection[]
  /** An open connection, or a new one. WIRE_PEER_REFUSED, WIRE_PEER_UNREACHABLE, libp2p's errors. */
  reach(to: PeerAddress, signal: AbortSignal): Promise<Connection>
  /** As `reach`, of whoever answers at an address. */
  reachAddress(address: string, signal: AbortSignal): Promise<Connection>
  stream(connection: Connection, protocol: ProtocolId, signal: AbortSignal): Promise<Stream>
  /** Waits until the other sides have what was sent. */
  flush(signal: AbortSignal): Promise<void>
  /** Drops the connections to `peer`, or all, at once. */
  cut(reason: Error, peer?: PeerId): void
}

export function createConnections(tag: string, ports: ConnectionsPorts): Connections {
  const { host, book, parseAddress, gate, clock } = ports

  function watch(onOpen: (peer: PeerId) => void): void {
    host.addEventListener('peer:update', ({ detail: { peer } }) => {
      const addresses = peer.addresses.map(({ multiaddr }) => multiaddr.toString())
      book.note(peerId(peer.id.toString()), addresses)
    })
    host.addEventListener('connection:open', ({ detail }) => {
      const peer = peerId(detail.remotePeer.toString())
      book.note(peer, [])
      onOpen(peer)
    })
  }

  function open(): Connection[] {
    return host.getConnections().filter(({ status }) => status === 'open')
  }

  function peers(): readonly PeerId[] {
    return [...new Set(open().map(({ remotePeer }) => peerId(remotePeer.toString())))]
  }

  function to(peer: PeerId): readonly Connection[] {
    return open().filter(({ remotePeer }) => remotePeer.toString() === peer)
  }

  async function reach({ peer, addresses }: PeerAddress, signal: AbortSignal): Promise<Connection> {
    const refusal = gate.refusal(peer)
    if (refusal) throw refusal
    const [connection] = to(peer)
    if (connection) return connection
    const known = boundedAddresses([...addresses, ...book.addressesOf(peer)])
    const targets = known.flatMap((address) => parseAddress(address, peer) ?? [])
    // With an empty list libp2p would ask the DHT for the peer, which takes seconds.
    if (targets.length === 0) throw unreachable(peer, new Error('no usable address is known'))
    return await host.dial(targets, { signal })
  }

  async function reachAddress(address: string, signal: AbortSignal): Promise<Connection> {
    const target = parseAddress(address)
    if (!target) throw unreachable(address, new Error('that is no address'))
    const named = target.getComponents().findLast(({ name }) => name === 'p2p')?.value
    const refusal = named === undefined ? undefined : gate.refusal(peerId(named))
    if (refusal) throw refusal
    const connection = open().find(({ remoteAddr }) => remoteAddr.toString().startsWith(`${address}/p2p/`))
    return connection ?? (await host.dial(target, { signal }))
  }

  async function stream(connection: Connection, protocol: ProtocolId, signal: AbortSignal): Promise<Stream> {
    const peer = peerId(connection.remotePeer.toString())
    try {
      const maxOutboundStreams = WIRE_LIMITS.channelsPerPeerMax
      return await connection.newStream(wireProtocol(protocol, tag), { signal, maxOutboundStreams })
    } catch (error) {
      signal.throwIfAborted()
      throw connection.status === 'open' ? unsupported(protocol, peer, error) : unreachable(peer, error)
    }
  }

  /**
   * Closing a connection closes the socket under the encryption, and what waits to be encrypted is lost. A round trip on
   * the same connection proves the arrival of all before it.
   */
  async function flush(signal: AbortSignal): Promise<void> {
    const limitMs = DEADLINES.channelCloseMs
    const roundTrip = async (connection: Connection, limit: AbortSignal): Promise<void> => {
      const ping = await connection.newStream(pingProtocol(tag), { signal: limit })
      ping.abort(stopped())
    }
    await withDeadline({ clock, limitMs, signal }, (limit) =>
      Promise.allSettled(open().map((connection) => roundTrip(connection, limit))),
    ).catch(() => undefined)
  }

  function cut(reason: Error, peer?: PeerId): void {
    for (const connection of host.getConnections()) {
      if (peer === undefined || connection.remotePeer.toString() === peer) connection.abort(reason)
    }
  }

  return { watch, peers, to, reach, reachAddress, stream, flush, cut }
}
