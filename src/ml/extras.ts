/**
 * What some families have beyond the Llama family, with its defaults: other gates, norms and caps, layers that attend or rotate in
 * another way. A config names what differs from the default, so that a model which has none of it is described as before.
 * Spec: docs/spec/numerics.md §6, docs/spec/model.md §1.
 * @module
 */
import type { ModelConfig, ModelExtras } from './config.ts'

/** All extras of a model. */
export function extrasOf(config: Pick<ModelConfig, 'headSize' | 'extras'>): ModelExtras {
  return { ...defaultsOf(config), ...config.extras }
}

/** Those that differ from the default, in the order of ModelExtras; undefined where none does. */
export function differingExtras(config: Pick<ModelConfig, 'headSize' | 'extras'>): Partial<ModelExtras> | undefined {
  const defaults = Object.entries(defaultsOf(config))
  const all: Readonly<Record<string, unknown>> = { ...extrasOf(config) }
  const differing = defaults.filter(([key, value]) => JSON.stringify(all[key]) !== JSON.stringify(value))
  return differing.length === 0 ? undefined : Object.fromEntries(differing.map(([key]) => [key, all[key]]))
}

function defaultsOf({ headSize }: Pick<ModelConfig, 'headSize'>): ModelExtras {
  return {
    gate: 'silu',
    outputNorms: false,
    embeddingFactor: 1,
    scoreSize: headSize,
    scoreCap: 0,
    logitCap: 0,
    rotarySize: headSize,
    windowLayers: undefined,
    windowTheta: undefined,
    unrotatedLayers: [],
  }
}

/** How one layer attends. */
export interface LayerAttention {
  /** Positions that are seen; 0: all. */
  readonly window: number
  /** `local`: by the second of ropeConfigs. */
  readonly rope: 'global' | 'local' | 'none'
}

export function layerAttention(config: ModelConfig, layer: number): LayerAttention {
  const { windowLayers, windowTheta, unrotatedLayers } = extrasOf(config)
  const hasWindow = config.slidingWindow !== undefined && (windowLayers?.includes(layer) ?? true)
  const rotated = hasWindow && windowTheta !== undefined ? 'local' : 'global'
  return {
    window: hasWindow ? config.slidingWindow : 0,
    rope: unrotatedLayers.includes(layer) ? 'none' : rotated,
  }
}

/** Whose tables layers rotate by: `global`, then `local` where layers with a window have tables of their own. */
export function ropeConfigs(config: ModelConfig): ModelConfig[] {
  const { windowTheta } = extrasOf(config)
  if (windowTheta === undefined) return [config]
  return [config, { ...config, ropeTheta: windowTheta, ropeScaling: { type: 'none' } }]
}

/** §6.6: the factor of scores, to be rounded to f32. */
export function scoreFactor(config: ModelConfig): number {
  return 1 / Math.sqrt(extrasOf(config).scoreSize)
}
