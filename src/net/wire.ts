/**
 * The Wire port: identified peers, long-lived message channels between them, news to all of them, and discovery. It moves
 * bytes and opens no envelope. Implementations: net/libp2p-wire.ts (TCP) and net/memory-wire.ts (tests, one-process
 * runs); both pass the suites of test/contract/wire-*-suite.ts.
 * Spec: docs/spec/wire.md §2.
 * @module
 */
import type { Milliseconds, PeerId } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'

export class WireError extends HouseError<
  | 'WIRE_PEER_UNREACHABLE' // nobody answers at any known address
  | 'WIRE_PEER_REFUSED' // we want nothing from this peer: it is banned, or not on our list of allowed peers
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

/** `dllm/transaction/1` and the like: what a piece of news is about. */
export type Topic = `dllm/${string}/${number}`

export interface NewsOptions {
  /** Longest message; at most `newsMessageBytesMax`. */
  readonly messageBytesMax: number
}

/**
 * What becomes of a piece of news: `accept` passes it on, `ignore` drops it without a word, `reject` drops it and costs
 * the peer that sent it reputation.
 */
export type Verdict = 'accept' | 'ignore' | 'reject'

/**
 * Judges one piece of news before anybody else gets it. `from` is the peer that passed it on, not who wrote it. The bytes
 * are shared with the wire and must not be changed. One that throws counts as `ignore`, and the error goes to the log.
 */
export type NewsHandler = (message: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>

/**
 * What a peer did, in our eyes: verdicts on its news, `useful` for an answer that helped, `misbehaved` for one that breaks
 * a protocol's rules. Costs and bans: net/peer-score.ts.
 */
export type PeerConduct = Verdict | 'useful' | 'misbehaved'

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
  /**
   * Hears the news of a topic, once per topic: each message once, never our own. A message goes on to other peers only after
   * the handler's `accept`.
   */
  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void
  /**
   * Tells news to the peers that hear of the topic, and gives their number; 0 also for a message that was told before. News
   * is not stored: who is not there misses it. WIRE_MESSAGE_TOO_LONG, WIRE_STOPPED.
   */
  publish(topic: Topic, message: Uint8Array): Promise<number>
  /** Notes a peer's conduct; one that is bad too often is cut off and refused for an hour. */
  judge(peer: PeerId, conduct: PeerConduct): void
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
