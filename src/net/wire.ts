/**
 * The Wire port: identified peers, long-lived message channels between them, and discovery. It moves bytes and
 * opens no envelope. Implementations: net/libp2p-wire.ts (TCP) and net/memory-wire.ts (tests, one-process runs);
 * both pass test/contract/wire-suite.ts.
 * Spec: docs/spec/wire.md §2.
 * @module
 */
import type { Milliseconds, PeerId } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'

export class WireError extends HouseError<
  | 'WIRE_PEER_UNREACHABLE' // nobody answers at any known address
  | 'WIRE_PROTOCOL_UNSUPPORTED' // the peer does not speak this protocol, or its limit of channels is reached
  | 'WIRE_PORT_IN_USE' // our listening port is taken
  | 'WIRE_LISTEN_FAILED' // this machine cannot listen at the address that we were given
  | 'WIRE_CHANNEL_CUT' // the other side went away without an end marker
  | 'WIRE_CHANNEL_CLOSED' // we closed or aborted it
  | 'WIRE_MESSAGE_TOO_LONG' // longer than the protocol's limit, in either direction
  | 'WIRE_QUEUE_FULL' // the reader fell too far behind
  | 'WIRE_STOPPED'
> {}

/** `/dllm/stage/1` and the like. */
export type ProtocolId = `/dllm/${string}/${number}`

/** A peer and where it may listen, as multiaddrs such as `/ip4/127.0.0.1/tcp/4001`. Addresses may be empty when connected. */
export interface PeerAddress {
  readonly peer: PeerId
  readonly addresses: readonly string[]
}

export interface ProtocolOptions {
  /** Longest message, either direction. */
  readonly messageBytesMax: number
  /** Concurrent channels that one peer may open to us. */
  readonly channelsPerPeerMax: number
}

/**
 * An ordered, reliable, bidirectional stream of whole messages with an explicit end: `receive` gives undefined only after
 * the other side's end marker; a vanished peer is WIRE_CHANNEL_CUT.
 */
export interface Channel {
  readonly peer: PeerId
  readonly protocol: ProtocolId
  /** Bytes of payload so far, both directions. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /**
   * Queues one message; one contiguous buffer goes out. Never blocks. Throws WIRE_MESSAGE_TOO_LONG (the channel goes on),
   * WIRE_CHANNEL_CLOSED, WIRE_CHANNEL_CUT, WIRE_STOPPED, or WIRE_QUEUE_FULL when the other side takes nothing any more.
   */
  send(message: Uint8Array): void
  /** Resolves when the outgoing buffer is below its high-water mark; rejects when the channel is cut or the signal fires. */
  drained(signal?: AbortSignal): Promise<void>
  /** The next message; undefined after the end marker. One reader at a time. An aborted wait loses no message. */
  receive(signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** Sends the end marker and closes our side. Idempotent. */
  close(): Promise<void>
  /** Drops the channel at once: the other side sees WIRE_CHANNEL_CUT. Idempotent. */
  abort(reason: string): void
}

export type ChannelHandler = (channel: Channel) => Promise<void>

export interface Wire {
  readonly peer: PeerId
  /** Multiaddrs that others can dial; empty for a client that does not listen. */
  addresses(): readonly string[]
  /**
   * Accepts channels of `protocol`, registered once. A handler that returns closes its channel with an end marker; one
   * that throws aborts it, and the error goes to the log.
   */
  handle(protocol: ProtocolId, options: ProtocolOptions, handler: ChannelHandler): Promise<void>
  /** Opens a channel, dialling if there is no connection yet. */
  open(to: PeerAddress, protocol: ProtocolId, options: ProtocolOptions, signal?: AbortSignal): Promise<Channel>
  /** Connects to a multiaddr (with or without /p2p/ID) and tells who answered. */
  connect(address: string, signal?: AbortSignal): Promise<PeerId>
  /** Peers with an open connection. */
  connectedPeers(): readonly PeerId[]
  /** Peers found so far by mDNS, the DHT's routing and incoming connections; bounded. */
  knownPeers(): readonly PeerAddress[]
  /** Announces under `key` (a digest) in the DHT that this peer has something. */
  provide(key: Uint8Array, signal?: AbortSignal): Promise<void>
  /** Peers that announced `key`; ends by itself or at the signal. */
  findProviders(key: Uint8Array, signal?: AbortSignal): AsyncIterable<PeerAddress>
  /** Round-trip time by ping. */
  ping(peer: PeerId, signal?: AbortSignal): Promise<Milliseconds>
  /** Closes all channels with end markers where possible and stops listening. Idempotent. */
  stop(): Promise<void>
}
