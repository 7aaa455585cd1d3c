/**
 * The auction with latencies between neighbours: of all rings the cheapest wins, by a dynamic program over (lot, candidate), and each
 * winner gets what the cheapest ring without its owner leaves. No owner is in two lots (allotment.ts), which is what makes that ring a
 * minimum over one lot. Spec: docs/spec/market.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Candidate, Scored, Winner } from './lot-offer.ts'

/** Grains that a round trip between two candidates costs the payer. */
export type Latency = (from: Candidate, to: Candidate) => bigint

/** Candidates per lot. */
const CANDIDATES_MAX = 32

/** What stands for a lot in the program. */
interface Column {
  readonly candidates: readonly Scored[]
  /** No bid above this is asked for: the reserve, or the score of the first candidate that was left out. */
  readonly cap: bigint
  /** Cost of the cheapest ring through each candidate: filled by `ringCosts`. */
  readonly through: bigint[]
}

/** The winners, one per lot. `lots`: admissible candidates of each, best first, none empty; no owner twice. */
export function chooseByRing(lots: readonly (readonly Scored[])[], latency: Latency = () => 0n): Winner[] {
  const columns = lots.map(columnOf)
  const forward = costs(columns, latency)
  const backward = costs(columns.toReversed(), (from, to) => latency(to, from)).toReversed()
  for (const [lot, { candidates, through }] of columns.entries()) {
    for (const [index, { score }] of candidates.entries()) {
      through.push(forward[lot]![index]!.cost + backward[lot]![index]!.cost - score)
    }
  }
  return cheapestRing(columns, forward).map((index, lot) => paid(columns[lot]!, index))
}

function columnOf(scored: readonly Scored[]): Column {
  const [best] = scored
  assert(best !== undefined, 'a lot without candidates is no column')
  const cap = scored[CANDIDATES_MAX]?.score ?? best.reserve
  return { candidates: scored.slice(0, CANDIDATES_MAX), cap, through: [] }
}

interface Step {
  /** Of the cheapest way from the first column up to and with this candidate. */
  readonly cost: bigint
  /** Its candidate in the column before. */
  readonly from: number
}

function costs(columns: readonly Column[], latency: Latency): Step[][] {
  const steps: Step[][] = []
  for (const [lot, { candidates }] of columns.entries()) {
    const before = steps[lot - 1]
    const sources = columns[lot - 1]?.candidates
    steps.push(
      candidates.map(({ candidate, score }) => {
        if (before === undefined || sources === undefined) return { cost: score, from: 0 }
        let best: Step | undefined
        for (const [from, step] of before.entries()) {
          const cost = step.cost + latency(sources[from]!.candidate, candidate) + score
          if (best === undefined || cost < best.cost) best = { cost, from }
        }
        assert(best !== undefined, 'no column is empty')
        return best
      }),
    )
  }
  return steps
}

/** Index of the candidate of each lot; of rings that cost the same, the one with the better candidates from the end. */
function cheapestRing(columns: readonly Column[], forward: readonly (readonly Step[])[]): number[] {
  const last = forward.at(-1)!
  let index = 0
  for (const [other, { cost }] of last.entries()) if (cost < last[index]!.cost) index = other
  const ring: number[] = []
  for (let lot = columns.length - 1; lot >= 0; lot--) {
    ring.unshift(index)
    index = forward[lot]![index]!.from
  }
  return ring
}

/** The critical score: with a higher one the winner would be left out, above the reserve, or in a ring that is not the cheapest. */
function paid({ candidates, cap, through }: Column, index: number): Winner {
  const winner = candidates[index]!
  const rest = through[index]! - winner.score
  let critical = cap
  for (const [other, cost] of through.entries()) {
    if (other !== index && cost - rest < critical) critical = cost - rest
  }
  return { ...winner, pay: critical - winner.slowness }
}
