/**
 * A RouteSource from signed offers: asks the known peers, keeps what they tell in a book, and picks the cheapest
 * ring by measured step times and round trips.
 * Spec: docs/spec/wire.md §3.3.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, milliseconds, type PeerId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { WIRE_LIMITS } from '../../base/limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { findRing, type RouteOffer } from '../../ml/route.ts'
import type { Offer } from '../../net/protocols/status.ts'
import type { PeerAddress, Wire } from '../../net/wire.ts'
import type { OfferBook } from '../offers.ts'
import { type Asked, askStatus } from '../status-service.ts'
import { RingError } from './ring-error.ts'
import type { Route, RouteSource } from './route.ts'

/** Round trip to a miner that did not answer a ping. */
const UNKNOWN_ROUND_TRIP_MS = 100
const PINGS = 3
/** Miners of one model that a search asks; each tells of others. */
const PROVIDERS_ASKED_MAX = 16

export interface PeerDirectory {
  /** Asks the bootstrap addresses and every peer met so far; unreachable ones are left out. */
  refresh(signal?: AbortSignal): Promise<Asked[]>
  /** Asks those whom the DHT names as miners of a model, and whom they tell of; none without a DHT. */
  search(model: Hash, signal?: AbortSignal): Promise<Asked[]>
}

export interface DirectoryOptions {
  readonly networkId: string
  /** Multiaddrs to begin with. */
  readonly bootstrap: readonly string[]
}

export interface DirectoryPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly log: Log
  readonly book: OfferBook
}

export function createPeerDirectory(options: DirectoryOptions, ports: DirectoryPorts): PeerDirectory {
  const { wire, clock, log, book } = ports
  const ask = async (to: PeerAddress, signal: AbortSignal | undefined): Promise<Asked | undefined> => {
    try {
      const asked = await askStatus(to, { networkId: options.networkId, signal }, { wire, clock })
      book.take(asked.status.offers)
      return asked
    } catch (error) {
      signal?.throwIfAborted()
      log.write('debug', 'status.failed', { peer: to.peer, code: codeOf(error), why: messageOf(error) })
      return undefined
    }
  }
  const askAll = async (peers: readonly PeerAddress[], signal: AbortSignal | undefined): Promise<Asked[]> => {
    const asked = await Promise.all(peers.map((peer) => ask(peer, signal)))
    return asked.filter((answer) => answer !== undefined)
  }
  const connect = async (address: string, signal: AbortSignal | undefined): Promise<PeerAddress | undefined> => {
    try {
      return { peer: await wire.connect(address, signal), addresses: [address] }
    } catch (error) {
      signal?.throwIfAborted()
      log.write('debug', 'bootstrap.failed', { address, code: codeOf(error), why: messageOf(error) })
      return undefined
    }
  }
  /** `first`, and those whom others have told of: what a miner says itself is newer. */
  const withTold = (first: readonly PeerAddress[]): PeerAddress[] => {
    const told = book.list().map(({ offer }): PeerAddress => ({ peer: offer.peer, addresses: offer.addresses }))
    const found = new Map<PeerId, PeerAddress>()
    for (const peer of [...first, ...told]) {
      const isNew = peer.peer !== wire.peer && !found.has(peer.peer)
      if (isNew && found.size < WIRE_LIMITS.offersMax) found.set(peer.peer, peer)
    }
    return [...found.values()]
  }
  return {
    refresh: async (signal) => {
      const reached = await Promise.all(options.bootstrap.map((address) => connect(address, signal)))
      return askAll(withTold([...reached.filter((peer) => peer !== undefined), ...wire.knownPeers()]), signal)
    },
    search: async (model, signal) => {
      const found: PeerAddress[] = []
      for await (const peer of wire.findProviders(hexToBytes(model), signal)) {
        if (found.push(peer) >= PROVIDERS_ASKED_MAX) break
      }
      const asked = await askAll(found, signal)
      const before = new Set(found.map(({ peer }) => peer))
      const others = withTold(found).filter(({ peer }) => !before.has(peer))
      return [...asked, ...(await askAll(others, signal))]
    },
  }
}

/** Routes by shortest path over the live offers of the book. */
export function createOfferRoutes(directory: PeerDirectory, ports: { wire: Wire; book: OfferBook }): RouteSource {
  const { wire, book } = ports
  const route = async (model: Hash, signal?: AbortSignal, without?: ReadonlySet<PeerId>): Promise<Route> => {
    const offers = book.ofModel(model).filter(({ peer }) => without?.has(peer) !== true)
    const miners = [...new Set(offers.map(({ peer }) => peer))]
    const pings = miners.map(async (peer) => [peer, await shortestPing(wire, peer, signal)] as const)
    return routeFrom(model, offers, new Map(await Promise.all(pings)))
  }
  return {
    findRoute: async (model, signal, without) => {
      await directory.refresh(signal)
      try {
        return await route(model, signal, without)
      } catch (error) {
        // Peers that we know do not cover the model; the DHT may know others.
        if (codeOf(error) !== 'RING_NO_ROUTE' || (await directory.search(model, signal)).length === 0) throw error
        return route(model, signal, without)
      }
    },
  }
}

/**
 * The shortest of a few, in milliseconds: the first ones also open a stream, and any of them may meet a busy machine.
 * A peer that does not answer is asked once.
 */
export async function shortestPing(wire: Wire, peer: PeerId, signal?: AbortSignal): Promise<number> {
  let shortest = UNKNOWN_ROUND_TRIP_MS
  try {
    for (let count = 0; count < PINGS; count++) shortest = Math.min(shortest, await wire.ping(peer, signal))
  } catch {
    signal?.throwIfAborted()
  }
  return shortest
}

/**
 * The cheapest ring of these offers; throws RING_NO_ROUTE with what is missing. Where two miners have not measured each
 * other, the way by the client, whose `roundTripsMs` are known, is an upper bound.
 */
export function routeFrom(model: Hash, offers: readonly Offer[], roundTripsMs: ReadonlyMap<string, number>): Route {
  const usable = offers.filter(({ sessionsFree }) => sessionsFree > 0)
  if (usable.length === 0) throw noRoute(model, offers.length > 0 ? 'all of its miners are full' : 'no miner serves it')
  const links = linkTable(usable)
  const byClientMs = (peer: string) => (roundTripsMs.get(peer) ?? UNKNOWN_ROUND_TRIP_MS) / 2
  const linkMs = (from: string, to: string) =>
    links.get(`${from} ${to}`) ?? links.get(`${to} ${from}`) ?? byClientMs(from) + byClientMs(to)
  const failures: RingError[] = []
  for (const [segmentCount, agreeing] of bySegmentCount(usable)) {
    const byRoute = new Map(agreeing.map((offer) => [routeOffer(offer), offer]))
    const found = findRing({ segmentCount, offers: [...byRoute.keys()], linkMs })
    if ('missing' in found) {
      failures.push(noRoute(model, whyNone(found.missing, segmentCount)))
      continue
    }
    const stages = found.stages.map((stage) => {
      const { peer, addresses, firstSegment, lastSegment } = byRoute.get(stage)!
      return { peer, addresses, firstSegment, lastSegment }
    })
    return { model, stages, expectedStepMs: milliseconds(found.stepMs) }
  }
  throw failures[0]
}

/**
 * A model has one number of segments, but only its manifest proves which. Miners who say the same make a ring; the
 * number that most of them say is tried first.
 */
function bySegmentCount(offers: readonly Offer[]): [number, Offer[]][] {
  const groups = new Map<number, Offer[]>()
  for (const offer of offers) {
    const group = groups.get(offer.segmentCount) ?? []
    groups.set(offer.segmentCount, group)
    group.push(offer)
  }
  const miners = (group: readonly Offer[]) => new Set(group.map(({ peer }) => peer)).size
  return [...groups].sort(([, a], [, b]) => miners(b) - miners(a))
}

function routeOffer({ peer, firstSegment, lastSegment, stepMicros }: Offer): RouteOffer {
  return { miner: peer, firstSegment, lastSegment, stepMs: stepMicros / 1_000 }
}

function whyNone(missing: readonly number[], segmentCount: number): string {
  if (missing.length === 0) return 'the offered segments do not join up'
  const [noun, numbers] = [missing.length === 1 ? 'segment' : 'segments', missing.map((segment) => segment + 1)]
  return `nobody serves ${noun} ${numbers.join(', ')} of ${segmentCount}`
}

/** One-way milliseconds by `from to`. */
function linkTable(offers: readonly Offer[]): Map<string, number> {
  const links = new Map<string, number>()
  for (const { peer, roundTrips } of offers) {
    for (const { peer: other, micros } of roundTrips) links.set(`${peer} ${other}`, micros / 2_000)
  }
  return links
}

function noRoute(model: Hash, why: string): RingError {
  return new RingError(
    'RING_NO_ROUTE',
    `No ring of miners covers this model: ${why}. Start a miner with \`dllm mine\`; \`dllm devnet up\` starts those of the local network.`,
    { details: { model } },
  )
}
