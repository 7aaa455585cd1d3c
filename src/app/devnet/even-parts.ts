/**
 * A model in parts for machines that are alike: runs of segments with as equal work as whole segments allow. Pure.
 * @module
 */
import { assert } from '../../base/assert.ts'

export interface SegmentRun {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

interface Cut {
  /** Sum of the squares of the parts' shares. */
  readonly cost: number
  /** Segments in all parts but the last. */
  readonly before: number
}

/**
 * `count` runs of one segment or more, in order, of which the squares of the work add up to the least: of equal ones, longer runs come first. `work`: of each
 * segment, any unit, e.g. multiply-accumulates per row; 1 to as many runs as segments. O(count · segments²).
 */
export function evenParts(work: readonly number[], count: number): SegmentRun[] {
  assert(count >= 1 && count <= work.length, 'each part has a segment')
  const sums = [0]
  for (const each of work) sums.push(sums.at(-1)! + each)
  const square = (from: number, to: number): number => (sums[to]! - sums[from]!) ** 2
  // rows[parts][segments]: the best cut of the first segments into so many parts.
  const rows: Cut[][] = [work.map((_, index) => ({ cost: square(0, index + 1), before: 0 }))]
  for (let parts = 2; parts <= count; parts++) {
    const shorter = rows.at(-1)!
    rows.push(
      work.map((_, index) => {
        let best: Cut = { cost: Number.POSITIVE_INFINITY, before: 0 }
        for (let before = index; before >= parts - 1; before--) {
          const cost = shorter[before - 1]!.cost + square(before, index + 1)
          if (cost < best.cost) best = { cost, before }
        }
        return best
      }),
    )
  }
  const runs: SegmentRun[] = []
  for (let parts = count, lastSegment = work.length; parts >= 1; parts--) {
    const firstSegment = rows[parts - 1]![lastSegment - 1]!.before
    runs.unshift({ firstSegment, lastSegment })
    lastSegment = firstSegment
  }
  return runs
}
