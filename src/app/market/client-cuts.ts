/**
 * Where a client cuts a model into lots: from the runs of segments that miners offer, so that the fewest of them have to work together and, where
 * there is a choice, more than one could have each lot. Pure; the auction has the last word. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { MARKET_LIMITS } from '../../base/chain-limits.ts'

/** Segments that one owner could serve now. */
export interface ServedRun {
  readonly owner: string
  readonly first: number
  /** Exclusive. */
  readonly end: number
}

export type Cuts = readonly number[]

/** One to serve, and one who could do it as well: it keeps the pay down, and stands by. */
const OWNERS_WANTED = 2

/** Ways to cut, the best first, none twice; empty when these runs cover no ring with an owner of its own for each lot. */
export function cutsToTry(segments: number, runs: readonly ServedRun[]): Cuts[] {
  const usable = runs.filter(({ first, end }) => first < end && end <= segments)
  const found: Cuts[] = []
  for (const ends of [
    greedyEnds(segments, usable, OWNERS_WANTED),
    greedyEnds(segments, usable, 1),
    greedyStarts(segments, usable),
    allBoundaries(segments, usable),
  ]) {
    const cuts = ends?.slice(0, -1)
    if (cuts === undefined || cuts.length >= MARKET_LIMITS.leaseLotsMax) continue
    if (found.some((other) => String(other) === String(cuts))) continue
    if (canBeShared(lotsOf(segments, cuts), usable)) found.push(cuts)
  }
  const hasChoice = (cuts: Cuts): boolean =>
    lotsOf(segments, cuts).every((lot) => coverers(usable, lot).size >= OWNERS_WANTED)
  return found.sort((a, b) => Number(hasChoice(b)) - Number(hasChoice(a)) || a.length - b.length)
}

/** Lots as they follow from cuts. */
export function lotsOf(segments: number, cuts: Cuts): { readonly first: number; readonly end: number }[] {
  return [...cuts, segments].map((end, index) => ({ first: cuts[index - 1] ?? 0, end }))
}

/** From the first segment on, each lot as far as a run reaches; not further than `owners` reach where so many reach anywhere. */
function greedyEnds(segments: number, runs: readonly ServedRun[], owners: number): number[] | undefined {
  const ends: number[] = []
  for (let first = 0; first < segments; first = ends.at(-1)!) {
    const reached = runs.filter((run) => run.first <= first && run.end > first).map(({ end }) => end)
    const choices = [...new Set(reached)].sort((a, b) => b - a)
    const chosen = choices.find((end) => coverers(runs, { first, end }).size >= owners) ?? choices[0]
    if (chosen === undefined) return undefined
    ends.push(chosen)
  }
  return ends
}

/** The same from the last segment back. */
function greedyStarts(segments: number, runs: readonly ServedRun[]): number[] | undefined {
  const ends: number[] = []
  for (let end = segments; end > 0; ) {
    ends.unshift(end)
    const starts = runs.filter((run) => run.first < end && run.end >= end).map(({ first }) => first)
    if (starts.length === 0) return undefined
    end = Math.min(...starts)
  }
  return ends
}

/** Small lots, of which each asks less of a miner's deposit. */
function allBoundaries(segments: number, runs: readonly ServedRun[]): number[] {
  const inside = runs.flatMap(({ first, end }) => [first, end]).filter((cut) => cut > 0 && cut < segments)
  return [...[...new Set(inside)].sort((a, b) => a - b), segments]
}

function coverers(
  runs: readonly ServedRun[],
  lot: { readonly first: number; readonly end: number },
): ReadonlySet<string> {
  return new Set(runs.filter(({ first, end }) => first <= lot.first && end >= lot.end).map(({ owner }) => owner))
}

/** Whether each lot can have an owner that no other lot has: owners are moved along paths until all have one, or none is left. */
function canBeShared(
  lots: readonly { readonly first: number; readonly end: number }[],
  runs: readonly ServedRun[],
): boolean {
  const able = lots.map((lot) => coverers(runs, lot))
  const lotOfOwner = new Map<string, number>()
  const place = (lot: number, asked: Set<string>): boolean => {
    for (const owner of able[lot]!) {
      if (asked.has(owner)) continue
      asked.add(owner)
      const other = lotOfOwner.get(owner)
      if (other !== undefined && !place(other, asked)) continue
      lotOfOwner.set(owner, lot)
      return true
    }
    return false
  }
  return lots.every((_, lot) => place(lot, new Set()))
}
