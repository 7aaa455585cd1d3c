/**
 * Rotary positions and sliding windows as config.json writes them, in the old form (`rope_scaling`,
 * `rope_theta`) and the new one (`rope_parameters`). Spec: docs/spec/model.md §1.
 * @module
 */
import { shown } from '../base/error.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelConfig, ModelExtras, ModelFamily, ModelSizes } from './config.ts'
import { badConfig, unsupported } from './huggingface-families.ts'
import { readScaling } from './huggingface-rope.ts'
import type { JsonFields } from './json-fields.ts'

/** What readers here know of the model already. */
export type KnownSizes = Pick<ModelSizes, 'layerCount' | 'headSize' | 'contextLength'> & {
  readonly family: ModelFamily
}

const DEFAULT_THETA = 10_000
const GEMMA3_LOCAL_THETA = 10_000
/** transformers' MistralConfig: a missing key means 4096, null means none. */
const MISTRAL_DEFAULT_WINDOW = 4_096

const THETA = { min: 1, max: 1e12 }

export interface ReadRope extends Pick<ModelConfig, 'ropeTheta' | 'ropeScaling'> {
  readonly extras: Pick<ModelExtras, 'rotarySize' | 'windowTheta'>
}

/** Theta, scaling, and how much of a head is rotated. Throws MODEL_UNSUPPORTED, naming the type, for scaling that is not known. */
export function readRope(fields: JsonFields, sizes: KnownSizes): ReadRope {
  const key = fields.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling'
  const outer = fields.has(key) ? fields.object(key) : undefined
  // One set of parameters for each kind of layer.
  const rope = outer?.has('full_attention') ? outer.object('full_attention') : outer
  const theta = [rope, fields].find((source) => source?.has('rope_theta'))
  const rotarySize = readRotarySize([rope, fields], sizes)
  const ropeTheta = theta === undefined ? DEFAULT_THETA : theta.number('rope_theta', THETA)
  return {
    ropeTheta,
    ropeScaling: rope === undefined ? { type: 'none' } : readScaling(rope, { fields, ropeTheta, rotarySize, ...sizes }),
    extras: { rotarySize, windowTheta: readWindowTheta(fields, outer, sizes.family) },
  }
}

/** Theta of layers with a window, where they have one of their own. */
function readWindowTheta(fields: JsonFields, outer: JsonFields | undefined, family: ModelFamily): number | undefined {
  if (outer?.has('sliding_attention') && outer.has('full_attention')) {
    const [full, local] = ['full_attention', 'sliding_attention'].map((key) => outer.object(key))
    if (JSON.stringify(outer.raw('full_attention')) === JSON.stringify(outer.raw('sliding_attention'))) return undefined
    const type = local!.has('rope_type') ? local!.text('rope_type') : 'default'
    if (type !== 'default') throw unsupported(`rope scaling of type ${type} in some layers`, 'It takes default there')
    return (local!.has('rope_theta') ? local! : full!).number('rope_theta', THETA)
  }
  if (family !== 'gemma3') return undefined
  return fields.has('rope_local_base_freq') ? fields.number('rope_local_base_freq', THETA) : GEMMA3_LOCAL_THETA
}

function readRotarySize(sources: readonly (JsonFields | undefined)[], { family, headSize }: KnownSizes): number {
  const source = sources.find((fields) => fields?.has('partial_rotary_factor'))
  const factor = source === undefined ? 1 : source.number('partial_rotary_factor', { min: 0, max: 1 })
  if (factor === 1) return headSize
  if (family !== 'phi3') throw unsupported(`partial_rotary_factor ${factor} for ${family} models`, 'It takes 1')
  const size = Math.floor(headSize * factor)
  if (size < 2 || size % 2 !== 0) throw badConfig(`partial_rotary_factor rotates ${size} elements of a head`)
  return size
}

export interface ReadWindows {
  /** Positions that attention sees; undefined: all. */
  readonly slidingWindow: number | undefined
  readonly extras: Pick<ModelExtras, 'windowLayers'>
}

/** The window, and the layers that have it where not all do. */
export function readWindows(fields: JsonFields, sizes: KnownSizes): ReadWindows {
  const none = { slidingWindow: undefined, extras: { windowLayers: undefined } }
  const types = fields.has('layer_types') ? byLayerTypes(fields, sizes) : undefined
  const window = readWindow(fields, sizes)
  if (window === undefined) return none
  const layers = Array.from({ length: sizes.layerCount }, (_, layer) => layer)
  const windowLayers = layers.filter(types ?? byRule(fields, sizes))
  if (windowLayers.length === 0) return none
  return {
    slidingWindow: window,
    extras: { windowLayers: windowLayers.length === sizes.layerCount ? undefined : windowLayers },
  }
}

function readWindow(fields: JsonFields, { family, contextLength }: KnownSizes): number | undefined {
  const window = fields.has('sliding_window')
    ? fields.integer('sliding_window', { min: 1, max: Number.MAX_SAFE_INTEGER })
    : undefined
  if (window !== undefined && window > MODEL_LIMITS.contextMax && family !== 'phi3') {
    throw badConfig(`sliding_window must be at most ${MODEL_LIMITS.contextMax}`)
  }
  switch (family) {
    case 'llama':
      return fields.has('layer_types') ? window : undefined
    case 'mistral':
      return fields.keys().includes('sliding_window') ? window : MISTRAL_DEFAULT_WINDOW
    case 'qwen2':
    case 'qwen3':
    case 'smollm3':
      return fields.has('use_sliding_window') && fields.flag('use_sliding_window') ? window : undefined
    case 'gemma':
      return undefined
    case 'gemma2':
    case 'gemma3':
      return window
    case 'phi3':
      return window !== undefined && window < contextLength ? window : undefined
  }
}

function byLayerTypes(fields: JsonFields, { layerCount }: KnownSizes): (layer: number) => boolean {
  const types = fields.list('layer_types', MODEL_LIMITS.layersMax)
  const stranger = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention')
  if (stranger !== undefined) {
    throw unsupported(`layers of type ${shown(stranger)}`, 'It takes full_attention and sliding_attention')
  }
  if (types.length < layerCount) throw badConfig('layer_types must name a type for each layer')
  return (layer) => types[layer] === 'sliding_attention'
}

function byRule(fields: JsonFields, { family, layerCount }: KnownSizes): (layer: number) => boolean {
  switch (family) {
    case 'qwen2':
    case 'qwen3': {
      const fullLayers = fields.integer('max_window_layers', { min: 0, max: MODEL_LIMITS.layersMax })
      return (layer) => layer >= Math.min(fullLayers, layerCount)
    }
    case 'smollm3':
      throw unsupported('a sliding window without layer_types', 'Add layer_types to config.json')
    case 'gemma2':
      return (layer) => layer % 2 === 0
    case 'gemma3': {
      const key = ['sliding_window_pattern', '_sliding_window_pattern'].find((name) => fields.has(name))
      const pattern = key === undefined ? 6 : fields.integer(key, { min: 1, max: MODEL_LIMITS.layersMax })
      return (layer) => (layer + 1) % pattern !== 0
    }
    default:
      return () => true
  }
}
