/**
 * How machines that are all needed where they are reach a segment that nobody serves: one that is not needed for a part of its run moves on, so that the
 * next one is not needed either, and so on to the gap. Everybody who knows who serves what finds the same chain, and only who stands at its free end
 * moves: nothing is left without anybody on the way. Pure. Spec: docs/spec/market.md §14.
 * @module
 */
import { flowsOf, fullRuns, type Host, type SegmentNeed, type SegmentRun } from './segment-balance.ts'

export interface Way {
  readonly host: Host
  /** Where it should be instead. */
  readonly run: SegmentRun
}

/** What has to be served before the machine that serves it now may leave it; undefined: any of the gaps. */
interface Hole {
  readonly run: SegmentRun | undefined
  /** Machines that the way has moved so far. */
  readonly moved: readonly Host[]
}

/** Holes that are looked at: ways are short where there are few machines, and not needed where there are many. */
const HOLES_MAX = 64

/** The free end of a shortest way to a gap; undefined where there is no gap, or none can be closed. Machines are believed to hold what they hold now. */
export function wayToGap(needs: readonly SegmentNeed[], hosts: readonly Host[]): Way | undefined {
  const there = countsOf(needs.length, hosts)
  const isGap = needs.map(({ owners }, index) => owners > 0 && there[index] === 0)
  if (!isGap.includes(true)) return undefined
  const runsOf = runsByBytes(needs)
  const movers = hosts.filter(({ isServing }) => isServing).sort(byPlace)
  const counts = countsOf(needs.length, movers)
  const holes: Hole[] = [{ run: undefined, moved: [] }]
  const seen = new Set<string>()
  for (let next = 0; next < holes.length && next < HOLES_MAX; next++) {
    const { run: hole, moved } = holes[next]!
    for (const host of movers.filter((mover) => !moved.includes(mover))) {
      for (const run of runsOf(host)) {
        if (hole === undefined ? !isGap.slice(run.first, run.end).includes(true) : !covers(run, hole)) continue
        const left = leftBy(host, run, { needs, counts })
        if (left === undefined) return { host, run }
        const key = `${left.first} ${left.end}`
        if (!seen.has(key)) holes.push({ run: left, moved: [...moved, host] })
        seen.add(key)
      }
    }
  }
  return undefined
}

/** How many machines are at each segment. */
function countsOf(count: number, hosts: readonly Host[]): number[] {
  return flowsOf(
    count,
    hosts.map((host) => ({ ...host, flow: 1 })),
  )
}

/** Runs that a machine could hold instead. */
function runsByBytes(needs: readonly SegmentNeed[]): (host: SegmentRun) => readonly SegmentRun[] {
  const known = new Map<number, readonly SegmentRun[]>()
  return ({ first, end }) => {
    const bytes = needs.slice(first, end).reduce((sum, need) => sum + need.bytes, 0)
    const found = known.get(bytes) ?? fullRuns(needs, bytes)
    known.set(bytes, found)
    return found
  }
}

/** From the first to the last segment that only this machine serves and that it would leave. */
function leftBy(
  host: SegmentRun,
  run: SegmentRun,
  { needs, counts }: { readonly needs: readonly SegmentNeed[]; readonly counts: readonly number[] },
): SegmentRun | undefined {
  let left: SegmentRun | undefined
  for (let index = host.first; index < host.end; index++) {
    const isKept = run.first <= index && index < run.end
    if (isKept || counts[index]! > 1 || needs[index]!.owners === 0) continue
    left = { first: left?.first ?? index, end: index + 1 }
  }
  return left
}

function covers(outer: SegmentRun, inner: SegmentRun): boolean {
  return outer.first <= inner.first && inner.end <= outer.end
}

/** The same order for everybody. */
function byPlace(a: Host, b: Host): number {
  return a.first - b.first || a.end - b.end || (a.owner < b.owner ? -1 : 1)
}
