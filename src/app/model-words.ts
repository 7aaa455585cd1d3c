/**
 * What is unusual about a model, in words for people. Spec: docs/spec/model.md §1.
 * @module
 */
import type { ModelConfig } from '../ml/config.ts'
import { extrasOf } from '../ml/extras.ts'

export function windowWords(config: ModelConfig): string {
  const { slidingWindow, layerCount } = config
  if (slidingWindow === undefined) return 'all positions'
  const { windowLayers } = extrasOf(config)
  const layers = windowLayers === undefined ? '' : ` in ${windowLayers.length} of ${layerCount} layers`
  return `${slidingWindow} positions${layers}`
}

/** One line for each of the extras that the window does not tell of. */
export function extrasWords(config: ModelConfig): string[] {
  const { gate, outputNorms, embeddingFactor, scoreSize, scoreCap, logitCap, ...rotation } = extrasOf(config)
  const { rotarySize, windowTheta, unrotatedLayers } = rotation
  return [
    ...(gate === 'silu' ? [] : [`gate ${gate}`]),
    ...(outputNorms ? ['norms after attention and feed-forward too'] : []),
    ...(embeddingFactor === 1 ? [] : [`embedding times ${embeddingFactor}`]),
    ...(scoreSize === config.headSize ? [] : [`scores by the root of ${scoreSize}`]),
    ...(scoreCap === 0 ? [] : [`scores within ${scoreCap}`]),
    ...(logitCap === 0 ? [] : [`logits within ${logitCap}`]),
    ...(rotarySize === config.headSize ? [] : [`${rotarySize} of ${config.headSize} elements of a head rotate`]),
    ...(windowTheta === undefined ? [] : [`theta ${windowTheta} in layers with a window`]),
    ...(unrotatedLayers.length === 0 ? [] : [`no rotation in layers ${unrotatedLayers.join(', ')}`]),
  ]
}
