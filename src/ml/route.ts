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

/** A beginning of a ring. */
interface Partial {
  readonly stages: readonly RouteOffer[]
  readonly costMs: number
  /** Miners in it that also have other offers: only those could come twice. */
  readonly taken: ReadonlySet<string>
}

/** Beginnings kept per offer that ends them. More than one is of use only where miners offer several runs. */
const PARTIALS_MAX = 16

/**
 * The cheapest ring, or the segments that nobody offers. For each possible stage 1, a shortest path over
 * segment boundaries, then the link back; O(F·O²) for F first offers and O offers. Exact where each miner has one
 * offer; where miners have several, as long as no offer ends more than PARTIALS_MAX useful beginnings.
 */
export function findRing(query: RouteQuery): RouteAnswer | { readonly missing: readonly number[] } {
  const { segmentCount, linkMs } = query
  const offers = query.offers.filter(({ firstSegment, lastSegment, stepMs }) => {
    const isRun = firstSegment >= 0 && firstSegment < lastSegment && lastSegment <= segmentCount
    return isRun && stepMs >= 0 && Number.isFinite(stepMs)
  })
  // Boundaries only grow, so one pass in this order meets every beginning before what follows it.
  offers.sort((a, b) => a.firstSegment - b.firstSegment || a.lastSegment - b.lastSegment)
  const several = minersOfSeveral(offers)
  let best: RouteAnswer | undefined
  for (const first of offers.filter(({ firstSegment }) => firstSegment === 0)) {
    const ring = cheapestFrom(first, { offers, segmentCount, linkMs, several })
    if (ring && (best === undefined || ring.stepMs < best.stepMs)) best = ring
  }
  return best ?? { missing: missingSegments(offers, segmentCount) }
}

function minersOfSeveral(offers: readonly RouteOffer[]): ReadonlySet<string> {
  const seen = new Set<string>()
  return new Set(offers.map(({ miner }) => miner).filter((miner) => seen.size === seen.add(miner).size))
}

function cheapestFrom(
  first: RouteOffer,
  query: RouteQuery & { readonly several: ReadonlySet<string> },
): RouteAnswer | undefined {
  const { offers, segmentCount, linkMs, several } = query
  const takenBy = ({ miner }: RouteOffer) => (several.has(miner) ? [miner] : [])
  const start: Partial = { stages: [first], costMs: first.stepMs, taken: new Set(takenBy(first)) }
  const reached = new Map<RouteOffer, Partial[]>([[first, [start]]])
  for (const offer of offers) {
    const partials: Partial[] = []
    for (const [last, before] of reached) {
      if (last.lastSegment !== offer.firstSegment) continue
      const addedMs = linkMs(last.miner, offer.miner) + offer.stepMs
      for (const { stages, costMs, taken } of before) {
        if (taken.has(offer.miner)) continue
        const extended = { stages: [...stages, offer], costMs: costMs + addedMs }
        addUseful(partials, { ...extended, taken: new Set([...taken, ...takenBy(offer)]) })
      }
    }
    if (partials.length > 0) reached.set(offer, partials)
  }
  let best: RouteAnswer | undefined
  for (const { stages, costMs } of [...reached.values()].flat()) {
    const last = stages.at(-1)!
    if (last.lastSegment !== segmentCount) continue
    const stepMs = stages.length === 1 ? costMs : costMs + linkMs(last.miner, first.miner)
    if (best === undefined || stepMs < best.stepMs) best = { stages, stepMs }
  }
  return best
}

/** Keeps `partial` unless another one costs no more and takes no miner that this one leaves free. */
function addUseful(partials: Partial[], partial: Partial): void {
  const isBetter = (a: Partial, b: Partial) => a.costMs <= b.costMs && [...a.taken].every((miner) => b.taken.has(miner))
  if (partials.some((known) => isBetter(known, partial))) return
  const kept = partials.filter((known) => !isBetter(partial, known))
  kept.push(partial)
  kept.sort((a, b) => a.costMs - b.costMs)
  partials.splice(0, partials.length, ...kept.slice(0, PARTIALS_MAX))
}

/** Segments that no offer covers; empty when they are covered, but no ring fits together. */
function missingSegments(offers: readonly RouteOffer[], segmentCount: number): number[] {
  const covered = (segment: number) =>
    offers.some(({ firstSegment, lastSegment }) => firstSegment <= segment && segment < lastSegment)
  return Array.from({ length: segmentCount }, (_, segment) => segment).filter((segment) => !covered(segment))
}
