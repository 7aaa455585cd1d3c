/**
 * How well the segments of models are served: who is at each, how many rows per second pass, and the potential that placements raise. Integers,
 * all below 2⁵³. Knows neither chain nor machine. Spec: docs/spec/market.md §14.
 * @module
 */
import { assert } from '../../base/assert.ts'

/** A segment, and what is wanted of it. Those of a model stand together, in their order; several models stand one after the other. */
export interface SegmentNeed {
  /** A number per model: runs do not go on from one model to the next. */
  readonly model: number
  /** Of its weights in memory. */
  readonly bytes: number
  /** Multiply-accumulates of one row, above 0. */
  readonly macs: number
  /** Owners that should be there; 0: nobody needs to be. */
  readonly owners: number
  /** What its flow counts beside that of other models, 0 to 100. */
  readonly weight: number
}

/** Segments `first` to before `end`, numbers of a list of needs. */
export interface SegmentRun {
  readonly first: number
  readonly end: number
}

/** A run that somebody serves, or has said to be fetching. */
export interface Host extends SegmentRun {
  readonly owner: string
  /** What it adds to the flow of each segment of its run. */
  readonly flow: number
  /** false: it was announced only. */
  readonly isServing: boolean
}

/** Rows per second × 2¹⁶: faster ones are told apart from each other no more. */
export const FLOW_MAX: number = 2 ** 32
/** What is counted at one segment at most: potentials of it and of all segments together are exact. */
const HOSTS_FLOW_MAX = 2 ** 43
const MACS_PER_UNIT = 1_000_000n

/**
 * Rows per second × 2¹⁶ through a run of so many multiply-accumulates per row, by a machine of this rate (CU per second × 2¹⁶), rounded down. Who
 * serves more segments adds less to each: the work of all flows together is what the machine can do.
 */
export function flowOf(rate: bigint, macs: number): number {
  assert(macs > 0, 'a run has work')
  const flow = (rate * MACS_PER_UNIT) / BigInt(macs)
  return flow < BigInt(FLOW_MAX) ? Number(flow) : FLOW_MAX
}

/** `isqrt(flow · 2³²)`: concave, so that a row per second is worth most where fewest pass. Exact. */
export function potentialOf(flow: number): number {
  assert(flow >= 0 && flow <= HOSTS_FLOW_MAX, 'flows are bounded')
  const root = Math.floor(Math.sqrt(flow) * 65_536)
  // The floating-point root can be one too high where the exact one is just below a whole number.
  return isRootAtMost(root, flow) ? root : root - 1
}

/** `root² ≤ flow · 2³²` without leaving exact numbers: with root = high · 2¹⁶ + low, both sides less high² · 2³², divided by 2¹⁶. */
function isRootAtMost(root: number, flow: number): boolean {
  const high = Math.floor(root / 65_536)
  const low = root - high * 65_536
  return (flow - high * high) * 65_536 - 2 * high * low >= Math.ceil((low * low) / 65_536)
}

/** Flow of each segment, as many as `count`. */
export function flowsOf(count: number, hosts: readonly Host[]): number[] {
  const steps = Array.from({ length: count + 1 }, () => 0)
  for (const { first, end, flow } of hosts) {
    steps[first]! += flow
    steps[end]! -= flow
  }
  return sumsOf(steps).slice(0, count)
}

/** How many different owners are at each segment. */
export function ownersOf(count: number, hosts: readonly Host[]): number[] {
  const runs = new Map<string, SegmentRun[]>()
  for (const host of hosts) {
    const list = runs.get(host.owner)
    if (list === undefined) runs.set(host.owner, [host])
    else list.push(host)
  }
  const steps = Array.from({ length: count + 1 }, () => 0)
  for (const list of runs.values()) {
    for (const { first, end } of joined(list)) {
      steps[first]! += 1
      steps[end]! -= 1
    }
  }
  return sumsOf(steps).slice(0, count)
}

/** The same segments without any twice. */
function joined(runs: readonly SegmentRun[]): readonly SegmentRun[] {
  if (runs.length === 1) return runs
  const found: { first: number; end: number }[] = []
  for (const { first, end } of [...runs].sort((a, b) => a.first - b.first)) {
    const last = found.at(-1)
    if (last === undefined || first > last.end) found.push({ first, end })
    else last.end = Math.max(last.end, end)
  }
  return found
}

/** What all placements together are judged by, the first that differs counts. */
export interface Balance {
  /** Segments that need somebody and have nobody. */
  readonly unserved: number
  /** Owners missing, over all segments. */
  readonly missing: number
  /** Sum over all segments of weight · `potentialOf`. */
  readonly potential: number
}

export function balanceOf(needs: readonly SegmentNeed[], hosts: readonly Host[]): Balance {
  const flows = flowsOf(needs.length, hosts)
  const owners = ownersOf(needs.length, hosts)
  let [unserved, missing, potential] = [0, 0, 0]
  for (const [index, need] of needs.entries()) {
    if (need.owners > 0 && owners[index] === 0) unserved += 1
    missing += Math.max(0, need.owners - owners[index]!)
    potential += need.weight * potentialOf(flows[index]!)
  }
  return { unserved, missing, potential }
}

/**
 * Runs of one model that the machine can hold, and no segment more. It could serve fewer, each of them faster; but all that are full make rings
 * shorter and give way to each other more easily.
 */
export function fullRuns(needs: readonly SegmentNeed[], bytes: number): SegmentRun[] {
  const found: SegmentRun[] = []
  for (const [first, { model }] of needs.entries()) {
    let total = 0
    for (let end = first + 1; end <= needs.length && needs[end - 1]!.model === model; end++) {
      total += needs[end - 1]!.bytes
      if (total > bytes) break
      const fits = (index: number): boolean => needs[index]?.model === model && total + needs[index]!.bytes <= bytes
      if (!fits(end) && !fits(first - 1)) found.push({ first, end })
    }
  }
  return found
}

/** Sums up to and with each item. */
export function sumsOf(items: readonly number[]): number[] {
  let sum = 0
  return items.map((item) => {
    sum += item
    return sum
  })
}
