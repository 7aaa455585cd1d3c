/**
 * What a stage checks of an `open` before it reserves anything: a route that joins up and names this miner where it
 * can stand, segments that it has, positions that the model has. An engine never meets a place in a ring that is
 * not its own.
 * Spec: docs/spec/wire.md §4.1.
 * @module
 */
import type { Hash, PeerId } from '../../base/brand.ts'
import type { ModelConfig } from '../../ml/config.ts'
import { rangeOf } from '../../ml/manifest.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import type { StageAddress } from '../../net/protocols/stage-open.ts'
import type { EngineHost } from '../engine-host.ts'
import type { DraftModel } from './draft-model.ts'
import { RingError } from './ring-error.ts'

/** A run of segments of one model that this miner has in an engine. */
export interface ServedSegments {
  readonly model: Hash
  readonly config: ModelConfig
  /** Of the whole model. */
  readonly segments: readonly LayerRange[]
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** The engine of exactly these segments. */
  readonly host: EngineHost
  /** Has the same tokens: drafts for sessions that begin here. */
  readonly draftModel?: DraftModel | undefined
}

/** What a session runs in. */
export interface StagePart {
  readonly config: ModelConfig
  readonly host: EngineHost
  /** Of the engine's layers, those that the session asks for. */
  readonly part: LayerRange
  readonly draftModel?: DraftModel | undefined
}

/**
 * The segments that an `open` asks for: all that an engine has, or a run of them, because a lease asks for its lot and not for
 * all that the miner of the lot has loaded. Throws when we do not serve them or the request contradicts itself.
 */
export function checkOpen(
  open: StageMessageOf<'open'>,
  served: readonly ServedSegments[],
  ourselves: PeerId,
): StagePart {
  const { stages, capacity, model } = open
  const stage = stages[open.stageIndex]
  if (stage?.peer !== ourselves) throw badRoute('does not name this miner at its stage')
  if (new Set(stages.map(({ peer }) => peer)).size !== stages.length) throw badRoute('names a miner twice')
  const { firstSegment, lastSegment } = stage
  const found = served.find((one) => {
    return one.model === model && one.firstSegment <= firstSegment && lastSegment <= one.lastSegment
  })
  if (found === undefined) {
    throw new RingError('RING_MODEL_NOT_SERVED', 'This miner does not serve these segments of this model.', {
      details: { model, firstSegment, lastSegment },
    })
  }
  if (!joinsUp(stages, found.segments.length)) throw badRoute('does not lead through every segment once, in order')
  const { config, host, draftModel } = found
  const { contextLength } = config
  if (capacity < 1 || capacity > contextLength) {
    throw new RingError(
      'RING_BAD_MESSAGE',
      `The session asks for ${capacity} positions; the model has 1 to ${contextLength}.`,
      { details: { capacity, contextLength } },
    )
  }
  return { config, host, draftModel, part: rangeOf(found, firstSegment, lastSegment) }
}

function joinsUp(stages: readonly StageAddress[], segmentCount: number): boolean {
  let reached = 0
  for (const { firstSegment, lastSegment } of stages) {
    if (firstSegment !== reached || lastSegment <= firstSegment) return false
    reached = lastSegment
  }
  return reached === segmentCount
}

function badRoute(why: string): RingError {
  return new RingError('RING_BAD_MESSAGE', `The route of this session ${why}.`)
}
