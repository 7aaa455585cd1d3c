/**
 * Host: the options of our libp2p node. The packages are loaded here, on first use, because they take some 400 ms, and a
 * client that neither listens nor discovers loads less of them. Knows nothing of channels.
 * Spec: docs/spec/wire.md §2.4.
 * @module
 */
import type { GossipSub, GossipsubOpts } from '@libp2p/gossipsub'
import type { Identify } from '@libp2p/identify'
import type { PeerDiscovery, PeerInfo, PrivateKey } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Libp2p, Libp2pOptions } from 'libp2p'
import { type PeerId, peerId } from '../base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { ProtocolId } from './wire.ts'

export interface HostOptions {
  readonly clock: Clock
  /** Peers of different networks share no protocol name and do not discover each other. */
  readonly networkId: string
  readonly privateKey: PrivateKey | undefined
  /** Multiaddrs; empty for a client. */
  readonly listen: readonly string[]
  readonly mdns: boolean
  readonly dht: boolean
  /** Set up gossipsub so; undefined: no news, and it is not even loaded. */
  readonly news: Partial<GossipsubOpts> | undefined
  /** Peers that may neither connect nor be dialled. Asked each time. */
  readonly denies: (peer: PeerId) => boolean
  /** A peer answered on the local network; comes again every ten seconds while it is there. */
  readonly onLocalPeer: (peer: PeerInfo) => void
}

export interface HostServices extends Record<string, unknown> {
  readonly identify: Identify
  readonly ping: Ping
  readonly news?: GossipSub
}
export type Host = Libp2p<HostServices>

const MIB = 1024 * 1024
/**
 * The flow-control window of a stream starts at yamux's 256 KiB (a constant of the network: who starts with more is cut
 * off) and grows with the line's delay. At 4 MiB a 50 ms line carries 80 MiB/s, and a 10 Mbit/s uplink still lets a ping
 * through before the monitor gives up.
 */
const LARGEST_WINDOW_BYTES = 4 * MIB
/** A read buffer smaller than the window, as libp2p has it, resets streams that keep the rules. */
const STREAM = { maxStreamWindowSize: LARGEST_WINDOW_BYTES, maxReadBufferLength: 2 * LARGEST_WINDOW_BYTES }
/**
 * Our own pings and the monitor's share a protocol, whose default is one stream at a time; a ping of the monitor that finds
 * no place costs the connection.
 */
const PING_STREAMS = { maxInboundStreams: 64, maxOutboundStreams: 64 }
/** A frozen or cut-off peer is noticed after two to eight seconds; libp2p's own settings take five to fifteen. */
const MONITOR = { pingInterval: 2_000, pingTimeout: { minTimeout: 4_000, maxTimeout: 8_000 } }
/** Connections per second and remote host; a local network of many processes has one host. libp2p's 5 drops dials. */
const INBOUND_PER_SECOND = 100
const PENDING_INBOUND_MAX = 64
const MDNS_INTERVAL_MS = 10_000
/** Streams that are closing still count for libp2p; our own limit is the exact one. */
const CLOSING_STREAMS = 16

/** Twelve hex digits that stand for a network in names of protocols and services. */
export function networkTag(networkId: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(networkId))).slice(0, 12)
}

/** `/dllm/stage/1` becomes `/dllm/TAG/stage/1` on the wire. */
export function wireProtocol(protocol: ProtocolId, tag: string): string {
  return protocol.replace('/dllm/', `/dllm/${tag}/`)
}

/** The protocol that everybody answers. */
export function pingProtocol(tag: string): string {
  return `/dllm/${tag}/ping/1.0.0`
}

/** Limits of libp2p for a protocol of which a peer may hold `channels`. */
export function streamLimits(channels: number): { maxInboundStreams: number; maxOutboundStreams: number } {
  return { maxInboundStreams: channels + CLOSING_STREAMS, maxOutboundStreams: WIRE_LIMITS.channelsPerPeerMax }
}

/** A libp2p node, not started. */
export async function createHost(options: HostOptions): Promise<Host> {
  const tag = networkTag(options.networkId)
  const listens = options.listen.length > 0
  const [{ createLibp2p }, { tcp }, { tlsOnSockets }, { yamux }, { identify }, { ping }, noise, mdns, dht, gossip] =
    await Promise.all([
      import('libp2p'),
      import('@libp2p/tcp'),
      import('./libp2p-tls.ts'),
      import('@libp2p/yamux'),
      import('@libp2p/identify'),
      import('@libp2p/ping'),
      // Whoever dials offers tls first and everybody has it, so only a listener can need noise, for a foreign dialler.
      listens ? import('@libp2p/noise') : undefined,
      options.mdns ? import('@libp2p/mdns') : undefined,
      options.dht ? import('@libp2p/kad-dht') : undefined,
      options.news ? import('@libp2p/gossipsub') : undefined,
    ])
  const protocolPrefix = `dllm/${tag}`
  const kad = dht?.kadDHT({
    protocol: `/dllm/${tag}/kad/1`,
    clientMode: !listens,
    // The default drops private addresses, which are all that a local network has.
    peerInfoMapper: dht.passthroughMapper,
  })
  const discovery = mdns?.mdns({ interval: MDNS_INTERVAL_MS, serviceTag: `_dllm-${tag}._udp.local` })
  const secure = tlsOnSockets(options.clock)
  const init: Libp2pOptions<HostServices> = {
    ...commonOptions(options, protocolPrefix),
    transports: [tcp()],
    connectionEncrypters: noise ? [secure, noise.noise()] : [secure],
    streamMuxers: [yamux({ streamOptions: STREAM })],
    services: {
      identify: identify({ protocolPrefix }),
      ping: ping({ protocolPrefix, ...PING_STREAMS }),
      ...(kad ? { dht: kad } : {}),
      ...(gossip ? { news: gossip.gossipsub(options.news) } : {}),
    },
  }
  if (options.privateKey) init.privateKey = options.privateKey
  if (discovery) {
    init.peerDiscovery = [(components) => heard(discovery(components), options.onLocalPeer)]
  }
  return await createLibp2p<HostServices>(init)
}

function commonOptions(options: HostOptions, protocolPrefix: string): Libp2pOptions<HostServices> {
  const denied = (peer: { toString(): string }): boolean => options.denies(peerId(peer.toString()))
  return {
    start: false,
    nodeInfo: { name: 'dllm', version: '1', userAgent: 'dllm/1' },
    addresses: { listen: [...options.listen] },
    connectionMonitor: { ...MONITOR, protocolPrefix },
    connectionManager: {
      maxConnections: WIRE_LIMITS.connectionsMax,
      inboundConnectionThreshold: INBOUND_PER_SECOND,
      maxIncomingPendingConnections: PENDING_INBOUND_MAX,
      inboundUpgradeTimeout: DEADLINES.dialMs,
      // gossipsub opens its streams one after another: a peer that never answers holds the others up.
      outboundStreamProtocolNegotiationTimeout: DEADLINES.dialAddressMs,
      dialTimeout: DEADLINES.dialMs,
      addressDialTimeout: DEADLINES.dialAddressMs,
    },
    connectionGater: {
      denyDialPeer: denied,
      denyInboundEncryptedConnection: denied,
      // Whoever answers at an address without a peer's id shows who it is only here.
      denyOutboundEncryptedConnection: denied,
      // libp2p's own gater is for browsers too and refuses private addresses there; ours says so everywhere.
      denyDialMultiaddr: () => false,
    },
  }
}

/** libp2p tells of a discovered peer once in its life; we want to hear it again after a connection is lost. */
function heard(discovery: PeerDiscovery, onLocalPeer: (peer: PeerInfo) => void): PeerDiscovery {
  discovery.addEventListener('peer', (event) => onLocalPeer(event.detail))
  return discovery
}
