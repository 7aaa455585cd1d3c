/**
 * Failures of a ring, as the client tells them to people. A stage sends a code and a sentence; the client adds
 * which stage it was.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export class RingError extends HouseError<
  | 'RING_NO_ROUTE' // no miners cover the model
  | 'RING_MODEL_NOT_SERVED' // a stage was asked for segments that it does not hold
  | 'RING_BUSY' // no session or cache left at a stage
  | 'RING_SESSION_EXISTS'
  | 'RING_BAD_MESSAGE' // garbage, too early, or of the wrong shape
  | 'RING_STAGE_LOST' // the client lost a stage
  | 'RING_LINK_LOST' // a stage lost its neighbour
  | 'RING_STEP_DEADLINE' // a step did not come back in time
  | 'RING_SESSION_IDLE' // evicted for lack of use
  | 'RING_STAGE_FAILED' // the engine of a stage refused or failed; details hold its code
  | 'RING_CLOSED'
  | 'RING_PROMPT_TOO_LONG'
> {}

/** What a stage says when the link to a neighbour ends while the session lives. */
export function linkLost(neighbour: { readonly number: number; readonly peer: string }): RingError {
  const { number, peer } = neighbour
  return new RingError('RING_LINK_LOST', `The link with stage ${number} of the ring broke.`, {
    details: { stage: number, peer },
  })
}

/** What a peer sent that it may not send, or not now. */
export function badMessage(sentence: string): RingError {
  return new RingError('RING_BAD_MESSAGE', sentence)
}

/** What the client says of a stage, 0-based, that told why it ends the session. */
export function stageFailed(stage: number, told: { readonly code: string; readonly message: string }): RingError {
  return new RingError('RING_STAGE_FAILED', `Stage ${stage + 1} of the ring failed: ${told.message}`, {
    details: { stage: stage + 1, stageCode: told.code },
  })
}

/** What the client says of a stage, 0-based, that ended without a word. */
export function stageLost(stage: number, peer: string, why: string): RingError {
  return new RingError('RING_STAGE_LOST', `Stage ${stage + 1} of the ring (${peer}) ${why}.`, {
    details: { stage: stage + 1, peer },
  })
}
