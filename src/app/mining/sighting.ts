/**
 * Who serves what of a model, as a miner sees it: by the placements on the chain, or where there is none by the offers that it hears.
 * Spec: docs/spec/market.md §14.
 * @module
 */
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import type { Host, SegmentRun } from '../../core/market/segment-balance.ts'
import type { Offer } from '../../net/protocols/status.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { MinerView } from '../chain/market-access.ts'
import type { StoredModel } from '../model-store.ts'
import {
  hostsOfOffers,
  hostsOfPlacements,
  knownRate,
  type PlaceCost,
  placeCostOf,
  segmentNeeds,
} from './placement-facts.ts'

export interface Sighting {
  /** All but this machine. */
  readonly hosts: readonly Host[]
  /** Its owner, as others of it are known. */
  readonly owner: string
  /** CU per second × 2¹⁶. */
  readonly rate: bigint
  /** What it is seen to serve itself, also if that has just ended. */
  readonly now?: SegmentRun | undefined
  /** Where the chain has no place left for it. */
  readonly placeCost?: PlaceCost | undefined
}

/** How a miner finds itself on the chain: by the key of its peer, hexadecimal, before anybody opened its wallet. */
export type OwnAddresses = { readonly operator: string; readonly payout: string } | { readonly peerKey: string }

/** Rate of a machine that nobody has measured: that of `rateFloor` at first. */
const UNKNOWN_RATE = 20_000n << 16n

/** A model that is not registered has no placements. @throws what keeps the chain from being asked. */
export async function sightOnChain(
  model: StoredModel,
  { chain, own }: { readonly chain: Pick<ChainAccess, 'market' | 'parameters'>; readonly own: OwnAddresses },
  signal: AbortSignal,
): Promise<Sighting> {
  const { values } = await chain.parameters(signal)
  const placements = await chain.market.placements(model.hash, signal).catch((error: unknown) => {
    if (codeOf(error) === 'NO_SUCH_MODEL') return []
    throw error
  })
  const miners = await minersOf(chain, signal)
  const self = findSelf(miners, own)
  const operator = 'operator' in own ? own.operator : self?.address
  const facts = { needs: segmentNeeds(model), miners, rateFloor: BigInt(values.rateFloor), without: operator }
  const placed = placements.find((each) => each.operator === operator && each.live)
  return {
    hosts: hostsOfPlacements(placements, facts),
    owner: 'payout' in own ? own.payout : (self?.payout ?? ''),
    rate: knownRate(self, facts.rateFloor),
    now: placed && { first: placed.first, end: placed.end },
    placeCost: placeCostOf(placements, operator),
  }
}

/** `peer`: of this machine. How fast it is, nobody knows before it has loaded something. */
export function sightByOffers(offers: readonly Offer[], peer: string): Sighting {
  const own = offers.find((offer) => offer.peer === peer)
  return {
    ...{ hosts: hostsOfOffers(offers, peer), owner: peer, rate: UNKNOWN_RATE },
    now: own && { first: own.firstSegment, end: own.lastSegment },
  }
}

function findSelf(miners: ReadonlyMap<string, MinerView>, own: OwnAddresses): MinerView | undefined {
  if ('operator' in own) return miners.get(own.operator)
  return [...miners.values()].find(({ peerKey }) => peerKey === own.peerKey)
}

async function minersOf(
  { market }: Pick<ChainAccess, 'market'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, MinerView>> {
  const miners = new Map<string, MinerView>()
  let from: string | undefined
  do {
    const page = await market.miners({ from, limit: NODE_LIMITS.marketPageMax }, signal)
    for (const miner of page.entries) miners.set(miner.address, miner)
    from = page.next
  } while (from !== undefined)
  return miners
}
