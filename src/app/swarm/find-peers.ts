/**
 * Who may have a model's files: peers that offer it, those whom the chain placed on it, those that announced it in the DHT, and everybody else who is known,
 * because whoever serves one model may have another. Each is asked what it has by whoever downloads.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash, PeerId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { WIRE_LIMITS } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { accountOfAddress } from '../../core/fields.ts'
import type { PeerAddress, Wire } from '../../net/wire.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import type { OfferBook } from '../offers.ts'
import type { PeerDirectory } from '../ring/offer-routes.ts'
import type { FetchThread } from '../shards/fetch-thread.ts'
import { openChunkSource } from '../shards/wire-chunk-source.ts'
import type { SwarmPeers } from './contacts.ts'

/** Peers of the miners that a chain has placed on a model; none where nobody can tell. */
export type PlacedPeers = (model: Hash, signal: AbortSignal) => Promise<readonly PeerId[]>

export interface NetworkPeersParts {
  /** Multiaddrs to begin with. */
  readonly bootstrap: readonly string[]
  readonly directory: PeerDirectory
  readonly book: OfferBook
  /** Default: there is no chain, or nobody to ask. */
  readonly placed?: PlacedPeers | undefined
  /** Where chunks are compared and written. */
  readonly thread: FetchThread
}

/** Peers that may have files of `model`. */
export function createNetworkPeers(
  model: Hash,
  { bootstrap, directory, book, placed, thread }: NetworkPeersParts,
  ports: { readonly wire: Wire; readonly clock: Clock; readonly log: Log },
): SwarmPeers {
  const { wire, log } = ports
  const addressesOf = (peer: PeerId): readonly string[] => {
    const told = book.list().find(({ offer }) => offer.peer === peer)?.offer.addresses
    return told ?? wire.knownPeers().find((known) => known.peer === peer)?.addresses ?? []
  }
  const offered = (): PeerAddress[] => book.ofModel(model).map(({ peer, addresses }) => ({ peer, addresses }))
  const placedNow = async (signal: AbortSignal): Promise<PeerAddress[]> => {
    const peers = await (placed?.(model, signal) ?? Promise.resolve([])).catch((error: unknown) => {
      signal.throwIfAborted()
      log.write('debug', 'swarm.no_placements', { code: codeOf(error), why: messageOf(error) })
      return []
    })
    return peers.map((peer) => ({ peer, addresses: addressesOf(peer) }))
  }
  async function* all(signal: AbortSignal): AsyncGenerator<PeerAddress> {
    // Those of the last round need not wait for this one's answers.
    yield* offered()
    const asking = directory.refresh(signal)
    asking.catch(() => undefined)
    // Those that answer need not wait for those that do not.
    const connecting = bootstrap.map((address) =>
      wire.connect(address, signal).then(
        (peer): PeerAddress[] => [{ peer, addresses: [address] }],
        () => [],
      ),
    )
    for await (const peers of asTheyCome(connecting)) yield* peers
    const asked = await asking
    yield* offered()
    yield* await placedNow(signal)
    yield* asked.map(({ peer }) => ({ peer, addresses: addressesOf(peer) }))
    yield* wire.connectedPeers().map((peer) => ({ peer, addresses: addressesOf(peer) }))
    yield* wire.knownPeers()
    yield* wire.findProviders(hexToBytes(model), signal)
  }
  return {
    async *search(signal) {
      const seen = new Set<PeerId>([wire.peer])
      for await (const peer of all(signal)) {
        if (seen.has(peer.peer)) continue
        seen.add(peer.peer)
        yield peer
      }
    },
    open: (peer, signal) => openChunkSource(peer, { ...ports, keeper: thread, links: thread }, signal),
    blame: (peer) => wire.judge(peer, 'misbehaved'),
  }
}

/** What promises resolve with, the soonest first. They do not reject. */
async function* asTheyCome<Value>(promises: readonly Promise<Value>[]): AsyncGenerator<Value> {
  const waiting = new Map(promises.map((promise, index) => [index, promise.then((value) => ({ index, value }))]))
  while (waiting.size > 0) {
    const { index, value } = await Promise.race(waiting.values())
    waiting.delete(index)
    yield value
  }
}

/** As a full node tells it: who is placed, and the keys of their peers. */
export function placedPeersOf({ market, network }: Pick<ChainAccess, 'market' | 'network'>): PlacedPeers {
  return async (model, signal) => {
    const placements = await market.placements(model, signal)
    const operators = [...new Set(placements.map(({ operator }) => operator))].slice(0, WIRE_LIMITS.offersMax)
    const miners = await Promise.all(
      operators.map((operator) =>
        market.miner(accountOfAddress(operator, network.kind), signal).catch(() => undefined),
      ),
    )
    return miners.flatMap((miner) => (miner === undefined ? [] : [peerOfPublicKey(hexToBytes(miner.peerKey))]))
  }
}
