/**
 * The canonical split of a model into segments: which layers each of them holds. Pure arithmetic; two
 * imports of one model with one count give the same segments.
 * Spec: docs/spec/model.md §3.
 * @module
 */
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
