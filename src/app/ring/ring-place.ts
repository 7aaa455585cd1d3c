/**
 * Where a stage stands in its ring: who sends to it and whom it sends to. Stage 1 follows the tail; in a ring of
 * one there are no neighbours.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import type { StageAddress } from '../../net/protocols/stage.ts'

export interface RingPlace {
  readonly isFirst: boolean
  readonly isTail: boolean
  /** Sends to us. */
  readonly previous: PeerId | undefined
  /** We send to it. */
  readonly next: StageAddress | undefined
}

export function placeIn(ring: { readonly stages: readonly StageAddress[]; readonly stageIndex: number }): RingPlace {
  const { stages, stageIndex } = ring
  const count = stages.length
  return {
    isFirst: stageIndex === 0,
    isTail: stageIndex === count - 1,
    previous: count === 1 ? undefined : stages[(stageIndex + count - 1) % count]!.peer,
    next: count === 1 ? undefined : stages[(stageIndex + 1) % count]!,
  }
}
