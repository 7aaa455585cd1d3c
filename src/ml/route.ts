/**
 * Offers to an ordered ring of stages: the cheapest cycle of miners that covers every segment once. Pure; the
 * costs come from the caller. A single miner that holds everything wins whenever it is faster than the split.
 * @module
 */

/** One miner's run of segments [firstSegment, lastSegment) and what a decode step there costs. */
export interface RouteOffer {
  readonly miner: string
  readonly firstSegment: number
  readonly lastSegment: number
  /** Expected milliseconds of one decode step at this miner, queueing included. */
  readonly stepMs: number
}

export interface RouteQuery {
  readonly segmentCount: number
  readonly offers: readonly RouteOffer[]
  /** One-way milliseconds from one miner to another. */
  readonly linkMs: (from: string, to: string) => number
}

export interface RouteAnswer {
  readonly stages: readonly RouteOffer[]
  /** One decode step round the ring, the way back to stage 1 included. */
  readonly stepMs: number
}

interface Partial {
  readonly stages: readonly RouteOffer[]
  readonly costMs: number
}

/**
 * The cheapest ring, or the segments that nobody offers. For each possible stage 1, a shortest path over
 * segment boundaries, then the link back; O(F·O²) for F first offers and O offers.
 */
export function findRing(query: RouteQuery): RouteAnswer | { readonly missing: readonly number[] } {
  const { segmentCount, linkMs } = query
  const offers = query.offers.filter(({ firstSegment, lastSegment }) => {
    return firstSegment >= 0 && firstSegment < lastSegment && lastSegment <= segmentCount
  })
  let best: RouteAnswer | undefined
  for (const first of offers.filter(({ firstSegment }) => firstSegment === 0)) {
    const ring = cheapestFrom(first, { offers, segmentCount, linkMs })
    if (ring && (best === undefined || ring.stepMs < best.stepMs)) best = ring
  }
  return best ?? { missing: missingSegments(offers, segmentCount) }
}

function cheapestFrom(first: RouteOffer, query: RouteQuery): RouteAnswer | undefined {
  const { offers, segmentCount, linkMs } = query
  // Cheapest partial rings by the offer that ends them; boundaries only grow, so one pass in order is enough.
  const ordered = offers.toSorted((a, b) => a.firstSegment - b.firstSegment || a.lastSegment - b.lastSegment)
  const reached = new Map<RouteOffer, Partial>([[first, { stages: [first], costMs: first.stepMs }]])
  for (const offer of ordered) {
    for (const partial of [...reached.values()]) {
      const last = partial.stages.at(-1)!
      if (last.lastSegment !== offer.firstSegment) continue
      if (partial.stages.some(({ miner }) => miner === offer.miner)) continue
      const costMs = partial.costMs + linkMs(last.miner, offer.miner) + offer.stepMs
      const known = reached.get(offer)
      if (known === undefined || costMs < known.costMs)
        reached.set(offer, { stages: [...partial.stages, offer], costMs })
    }
  }
  let best: RouteAnswer | undefined
  for (const { stages, costMs } of reached.values()) {
    const last = stages.at(-1)!
    if (last.lastSegment !== segmentCount) continue
    const stepMs = stages.length === 1 ? costMs : costMs + linkMs(last.miner, first.miner)
    if (best === undefined || stepMs < best.stepMs) best = { stages, stepMs }
  }
  return best
}

/** Segments that no offer covers; empty when they are covered, but no ring fits together. */
function missingSegments(offers: readonly RouteOffer[], segmentCount: number): number[] {
  const covered = (segment: number) =>
    offers.some(({ firstSegment, lastSegment }) => firstSegment <= segment && segment < lastSegment)
  return Array.from({ length: segmentCount }, (_, segment) => segment).filter((segment) => !covered(segment))
}
