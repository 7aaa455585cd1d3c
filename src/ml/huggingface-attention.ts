/**
 * Rotary positions and sliding windows as config.json writes them, in the old form (`rope_scaling`,
 * `rope_theta`) and the new one (`rope_parameters`). Spec: docs/spec/model.md §1.
 * @module
 */
import { shown } from '../base/error.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelConfig, ModelFamily, RopeScaling } from './config.ts'
import type { JsonFields } from './json-fields.ts'
import { ModelError } from './model-error.ts'

const DEFAULT_THETA = 10_000
/** transformers' MistralConfig: a missing key means 4096, null means none. */
const MISTRAL_DEFAULT_WINDOW = 4_096

const THETA = { min: 1, max: 1e12 }
const FACTOR = { min: 1, max: 1e6 }

/** Theta and scaling. Throws MODEL_UNSUPPORTED, naming the type, for any other than none, linear and llama3. */
export function readRope(fields: JsonFields): Pick<ModelConfig, 'ropeTheta' | 'ropeScaling'> {
  const key = fields.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling'
  const rope = fields.has(key) ? fields.object(key) : undefined
  const theta = [rope, fields].find((source) => source?.has('rope_theta'))
  refusePartial(rope)
  refusePartial(fields)
  return {
    ropeTheta: theta === undefined ? DEFAULT_THETA : theta.number('rope_theta', THETA),
    ropeScaling: rope === undefined ? { type: 'none' } : readScaling(rope),
  }
}

function readScaling(rope: JsonFields): RopeScaling {
  const type = ['rope_type', 'type'].map((key) => rope.raw(key)).find((value) => value !== undefined) ?? 'default'
  switch (type) {
    case 'default':
      return { type: 'none' }
    case 'linear':
      return { type: 'linear', factor: rope.number('factor', FACTOR) }
    case 'llama3': {
      const low = rope.number('low_freq_factor', FACTOR)
      const high = rope.number('high_freq_factor', FACTOR)
      if (high <= low) throw bad('high_freq_factor must be larger than low_freq_factor')
      return {
        type: 'llama3',
        factor: rope.number('factor', FACTOR),
        lowFrequencyFactor: low,
        highFrequencyFactor: high,
        originalContextLength: rope.integer('original_max_position_embeddings', {
          min: 1,
          max: MODEL_LIMITS.contextMax,
        }),
      }
    }
    default:
      throw unsupported(`rope scaling of type ${shown(type)}`, 'It takes default, linear and llama3')
  }
}

function refusePartial(fields: JsonFields | undefined): void {
  if (!fields?.has('partial_rotary_factor')) return
  const factor = fields.number('partial_rotary_factor', { min: 0, max: 1 })
  if (factor !== 1) throw unsupported(`partial_rotary_factor ${factor}`, 'It takes 1')
}

/** Positions that attention sees; undefined: all. Throws MODEL_UNSUPPORTED where layers differ. */
export function readSlidingWindow(fields: JsonFields, family: ModelFamily, layers: number): number | undefined {
  const window = fields.has('sliding_window')
    ? fields.integer('sliding_window', { min: 1, max: MODEL_LIMITS.contextMax })
    : undefined
  if (fields.has('layer_types')) return byLayerTypes(fields.list('layer_types', MODEL_LIMITS.layersMax), window)
  switch (family) {
    case 'llama':
      return undefined
    case 'mistral':
      return fields.keys().includes('sliding_window') ? window : MISTRAL_DEFAULT_WINDOW
    case 'qwen2':
    case 'qwen3': {
      if (!fields.has('use_sliding_window') || !fields.flag('use_sliding_window')) return undefined
      const fullLayers = fields.integer('max_window_layers', { min: 0, max: MODEL_LIMITS.layersMax })
      if (fullLayers >= layers) return undefined
      if (fullLayers === 0) return window
      throw unsupported('a sliding window in some layers only', 'Choose a model with one kind of attention')
    }
  }
}

function byLayerTypes(types: readonly unknown[], window: number | undefined): number | undefined {
  if (types.every((type) => type === 'full_attention')) return undefined
  if (types.every((type) => type === 'sliding_attention')) return window
  throw unsupported('layers with different kinds of attention', 'Choose a model with one kind of attention')
}

function unsupported(what: string, advice: string): ModelError {
  return new ModelError('MODEL_UNSUPPORTED', `exact-1 does not compute ${what}. ${advice}.`)
}

function bad(problem: string): ModelError {
  return new ModelError('MODEL_BAD_CONFIG', `config.json cannot be used: ${problem}.`)
}
