/**
 * What placement weighs, from what the chain or the network says: the segments of a model and what each needs, and who serves which of them how fast.
 * Pure. Spec: docs/spec/market.md §14.
 * @module
 */
import { lesser } from '../../base/bigint.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { FLOW_MAX, flowOf, type Host, type SegmentNeed } from '../../core/market/segment-balance.ts'
import type { Offer } from '../../net/protocols/status.ts'
import type { MinerView, PlacementView } from '../chain/market-access.ts'
import type { StoredModel } from '../model-store.ts'
import { modelWork } from '../model-work.ts'

/** Owners that each segment should have: with two, no machine that is lost takes a segment with it. */
export const OWNERS_WANTED = 2
/** Position of a usual row. */
const USUAL_POSITION = 1_024n
const MICROS_PER_SECOND = 1_000_000
const ONE = 65_536

export function segmentNeeds({ manifest }: StoredModel): SegmentNeed[] {
  const work = modelWork(manifest)
  return manifest.segments.map(({ shard }, index) => {
    const { linear, attention } = work[index]!
    const macs = Number(linear + attention * USUAL_POSITION)
    return { model: 0, bytes: shard.bytes, macs, owners: OWNERS_WANTED, weight: 1 }
  })
}

/** Rows per second × 2¹⁶ as the chain knows it. Who has no audited work counts as the market counts it: `rateFloor`, CU per second × 2¹⁶. */
export function knownRate(miner: Pick<MinerView, 'workRate'> | undefined, rateFloor: bigint): bigint {
  const rate = BigInt(miner?.workRate ?? 0)
  return rate > rateFloor ? rate : rateFloor
}

/** Of live placements with slots. An owner is a payout account. `without`: address of an operator that is left out. */
export function hostsOfPlacements(
  placements: readonly PlacementView[],
  facts: {
    readonly needs: readonly SegmentNeed[]
    readonly miners: ReadonlyMap<string, MinerView>
    readonly rateFloor: bigint
    readonly without?: string | undefined
  },
): Host[] {
  const { needs, miners, rateFloor, without } = facts
  return placements
    .filter(({ live, slots, operator }) => live && slots > 0 && operator !== without)
    .map(({ operator, first, end }) => {
      const miner = miners.get(operator)
      const flow = flowOf(knownRate(miner, rateFloor), macsOf(needs, first, end))
      return { owner: miner?.payout ?? operator, first, end, flow, isServing: true }
    })
}

/** Of a model without a place left: what a place costs. */
export interface PlaceCost {
  /** Grains: a larger deposit takes a place. */
  readonly lowest: bigint
}

/** undefined: there is a place, or the operator has one. The chain decides anew when it comes to it (core/state/registry.ts). */
export function placeCostOf(placements: readonly PlacementView[], operator: string | undefined): PlaceCost | undefined {
  if (placements.length < MARKET_LIMITS.placementsPerModelMax) return undefined
  if (placements.some((each) => !each.live || each.operator === operator)) return undefined
  return { lowest: placements.map(({ deposit }) => BigInt(deposit)).reduce(lesser) }
}

/** Where there is no chain: each peer is an owner, and as fast as it says. */
export function hostsOfOffers(offers: readonly Offer[], without?: string): Host[] {
  return offers
    .filter(({ peer }) => peer !== without)
    .map(({ peer, firstSegment, lastSegment, stepMicros }) => ({
      ...{ owner: peer, first: firstSegment, end: lastSegment, isServing: true },
      flow: Math.min(FLOW_MAX, Math.floor((MICROS_PER_SECOND * ONE) / Math.max(1, stepMicros))),
    }))
}

export function macsOf(needs: readonly SegmentNeed[], first: number, end: number): number {
  return needs.slice(first, end).reduce((sum, { macs }) => sum + macs, 0)
}
