/**
 * PeerBook: the peers heard of so far and where they listen. Bounded: when it is full, the peer not heard of for longest
 * makes room. Knows nothing of connections.
 * Spec: docs/spec/wire.md §2.3.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import { WIRE_LIMITS } from '../base/limits.ts'
import type { PeerAddress } from './wire.ts'

export interface PeerBook {
  /** Notes a peer; addresses are replaced unless there are none. */
  note(peer: PeerId, addresses: readonly string[]): void
  addressesOf(peer: PeerId): readonly string[]
  list(): readonly PeerAddress[]
}

export function createPeerBook(peersMax: number = WIRE_LIMITS.knownPeersMax): PeerBook {
  const peers = new Map<PeerId, readonly string[]>()

  function note(peer: PeerId, addresses: readonly string[]): void {
    const kept = boundedAddresses(addresses)
    const known = peers.get(peer) ?? []
    peers.delete(peer)
    peers.set(peer, kept.length > 0 ? kept : known)
    const oldest = peers.keys().next().value
    if (peers.size > peersMax && oldest !== undefined) peers.delete(oldest)
  }

  return {
    note,
    addressesOf: (peer) => peers.get(peer) ?? [],
    list: () => [...peers].map(([peer, addresses]) => ({ peer, addresses })),
  }
}

/** The first addresses within the bounds, each once. */
export function boundedAddresses(addresses: readonly string[]): readonly string[] {
  const short = addresses.filter((address) => address.length <= WIRE_LIMITS.addressCharactersMax)
  return [...new Set(short)].slice(0, WIRE_LIMITS.addressesPerPeerMax)
}
