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
export function linkLost(side: 'next' | 'previous'): RingError {
  return new RingError('RING_LINK_LOST', `The link to the ${side} stage of the ring broke.`, { details: { side } })
}
