/**
 * Where a stage stands in its ring: who sends to it and whom it sends to. Stage 1 follows the tail; in a ring of
 * one there are no neighbours.
 * @module
 */
import type { StageAddress } from '../../net/protocols/stage-open.ts'

/** A stage beside ours. */
export interface Neighbour extends StageAddress {
  /** As people count: the first stage is 1. */
  readonly number: number
}

export interface RingPlace {
  readonly isFirst: boolean
  readonly isTail: boolean
  /** Sends to us. */
  readonly previous: Neighbour | undefined
  /** We send to it. */
  readonly next: Neighbour | undefined
}

export function placeIn(ring: { readonly stages: readonly StageAddress[]; readonly stageIndex: number }): RingPlace {
  const { stages, stageIndex } = ring
  const count = stages.length
  const at = (index: number): Neighbour | undefined =>
    count === 1 ? undefined : { ...stages[index % count]!, number: (index % count) + 1 }
  return {
    isFirst: stageIndex === 0,
    isTail: stageIndex === count - 1,
    previous: at(stageIndex + count - 1),
    next: at(stageIndex + 1),
  }
}
