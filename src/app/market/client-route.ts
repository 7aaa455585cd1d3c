/**
 * Where the miners of a lease are: their peers follow from the keys that the chain names, their addresses from what peers tell of each other.
 * Spec: docs/spec/market.md §9.1.
 * @module
 */
import { type Hash, milliseconds, type PeerId } from '../../base/brand.ts'
import type { Client } from '../client.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import type { Route } from '../ring/route.ts'
import { cutsToTry, type ServedRun } from './client-cuts.ts'
import type { LeasedLot, OpenLease } from './lease-source.ts'

/** The route of a lease, or the lots whose miners nobody knows. */
export type LeaseRoute =
  | { readonly ok: true; readonly route: Route }
  | { readonly ok: false; readonly lost: readonly LeasedLot[] }

type Whereabouts = Pick<Client, 'wire' | 'book' | 'directory'>

/** Asks around only as far as it must: those who are known, then their acquaintances, then the DHT. */
export async function routeOfLease(lease: OpenLease, client: Whereabouts, signal?: AbortSignal): Promise<LeaseRoute> {
  const { model } = lease
  const steps = [
    async () => undefined,
    () => client.directory.refresh(signal),
    () => client.directory.search(model, signal),
  ]
  for (const step of steps) {
    await step()
    if (unknownLots(lease, client).length === 0) return { ok: true, route: routeFrom(lease, client) }
  }
  return { ok: false, lost: unknownLots(lease, client) }
}

/** What miners have told of themselves: runs of a model of so many segments that they serve now. Asks around until they make a ring. */
export async function heardRuns(
  { model, segments }: { readonly model: Hash; readonly segments: number },
  client: Whereabouts,
  signal?: AbortSignal,
): Promise<ServedRun[]> {
  let runs: ServedRun[] = []
  for (const step of [() => client.directory.refresh(signal), () => client.directory.search(model, signal)]) {
    await step()
    const free = client.book.ofModel(model).filter(({ sessionsFree }) => sessionsFree > 0)
    runs = free.map(({ peer, firstSegment, lastSegment }) => ({ owner: peer, first: firstSegment, end: lastSegment }))
    if (cutsToTry(segments, runs).length > 0) return runs
  }
  return runs
}

function routeFrom(lease: OpenLease, client: Whereabouts): Route {
  const stages = lease.lots.map(({ peerKey, firstSegment, lastSegment }) => {
    const peer = peerOfPublicKey(peerKey)
    return { peer, addresses: addressesOf(peer, lease.model, client) ?? [], firstSegment, lastSegment }
  })
  return { model: lease.model, stages, expectedStepMs: milliseconds(0) }
}

function unknownLots({ lots, model }: OpenLease, client: Whereabouts): LeasedLot[] {
  return lots.filter(({ peerKey }) => addressesOf(peerOfPublicKey(peerKey), model, client) === undefined)
}

/** undefined: nobody knows where it is. Its neighbours in the ring must be told, so a connection alone is not enough. */
function addressesOf(peer: PeerId, model: Hash, { wire, book }: Whereabouts): readonly string[] | undefined {
  const offered = book.ofModel(model).find((offer) => offer.peer === peer)?.addresses
  const known = offered ?? wire.knownPeers().find((one) => one.peer === peer)?.addresses
  return known === undefined || known.length === 0 ? undefined : known
}
