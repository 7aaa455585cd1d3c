/**
 * Which of several active models a name means: the one behind which the most is deposited. Names cost their publishers a deposit that comes back, so who
 * registered one says little; miners that serve a model have money behind it for as long as they do.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { lesser } from '../../base/bigint.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { ModelView, PlacementView } from '../chain/market-access.ts'

export type NamedModel = Pick<ModelView, 'model' | 'name' | 'status' | 'registeredHeight'>

export interface StandingModel extends NamedModel {
  /** Grains that miners of its least served segment have deposited together; undefined: nobody could tell. */
  readonly behind: bigint | undefined
}

/**
 * Grains behind the segment of which the least stands: without it the model gives no answer, so what is deposited behind others makes up for nothing.
 * A miner counts for each segment of its live placement.
 */
export function depositsBehind(segments: number, placements: readonly PlacementView[]): bigint {
  const behind = Array.from({ length: segments }, () => 0n)
  for (const { live, first, end, deposit } of placements) {
    if (!live) continue
    for (let at = first; at < Math.min(end, segments); at++) behind[at]! += BigInt(deposit)
  }
  return behind.reduce(lesser)
}

/** The one behind which the most stands, of equal ones the one that was registered first; undefined where neither separates the first two. */
export function mostServed(models: readonly StandingModel[]): StandingModel | undefined {
  const [first, second] = [...models].sort((one, other) => Number(isBefore(other, one)) - Number(isBefore(one, other)))
  if (first === undefined || second === undefined) return first
  return isBefore(first, second) ? first : undefined
}

function isBefore(one: StandingModel, other: StandingModel): boolean {
  // Who cannot know what stands behind them does not go by the height either: it would mean another model than who can.
  if (one.behind === undefined || other.behind === undefined) return false
  return one.behind === other.behind ? one.registeredHeight < other.registeredHeight : one.behind > other.behind
}

/** `HASH (12 DLLM behind it, registered at block 7)`. */
export function standingText({ model, behind, registeredHeight }: Omit<StandingModel, 'name' | 'status'>): string {
  const since = registeredHeight === 0 ? 'of the genesis file' : `registered at block ${registeredHeight}`
  return `${model} (${behind === undefined ? '' : `${dllm(behind)} behind it, `}${since})`
}
