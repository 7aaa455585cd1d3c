/**
 * The canonical split of a model into segments: which layers each of them holds. Pure arithmetic; two
 * imports of one model with one count give the same segments.
 * Spec: docs/spec/model.md §3.
 * @module
 */
import { assert } from '../base/assert.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelConfig } from './config.ts'
import { ModelError } from './model-error.ts'
import type { LayerRange } from './tensors.ts'

const DEFAULT_SEGMENTS = 8

/**
 * Layers in `count` runs whose lengths differ by at most one; the embedding in the first, the output norm
 * and the head in the last. Default: 8, or one per layer for fewer layers.
 * Throws MODEL_BAD_SEGMENTS for a count that is no integer from 1 to the number of layers.
 */
export function splitIntoSegments(
  config: Pick<ModelConfig, 'layerCount'>,
  count: number = Math.min(config.layerCount, DEFAULT_SEGMENTS),
): LayerRange[] {
  const layers = config.layerCount
  const most = Math.min(layers, MODEL_LIMITS.segmentsMax)
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new ModelError('MODEL_BAD_SEGMENTS', `This model can have 1 to ${most} segments, not ${count}.`, {
      details: { count, layers },
    })
  }
  return Array.from({ length: count }, (_, index) => ({
    firstLayer: Math.floor((index * layers) / count),
    lastLayer: Math.floor(((index + 1) * layers) / count),
    hasEmbedding: index === 0,
    hasHead: index === count - 1,
  }))
}

/** Consecutive segments. */
export interface SegmentRun {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

/**
 * The segments of a model in `count` runs of about as many layers: each ends at the border nearest to its share, the lower of two,
 * and holds one segment at least. Asserts that there are as many segments as runs.
 */
export function splitEvenly(segments: readonly Pick<LayerRange, 'lastLayer'>[], count: number): SegmentRun[] {
  assert(count >= 1 && count <= segments.length, 'a run has a segment')
  const layers = segments.at(-1)!.lastLayer
  const ends: number[] = []
  for (let run = 1; run <= count; run++) {
    const share = (run * layers) / count
    const first = (ends.at(-1) ?? 0) + 1
    const candidates = segments.slice(first - 1, segments.length - (count - run))
    const distances = candidates.map(({ lastLayer }) => Math.abs(lastLayer - share))
    ends.push(first + distances.indexOf(Math.min(...distances)))
  }
  return ends.map((end, run) => ({ firstSegment: run === 0 ? 0 : ends[run - 1]!, lastSegment: end }))
}
