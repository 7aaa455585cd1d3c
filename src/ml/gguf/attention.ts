/**
 * How layers attend and rotate, and what else some families have, as the metadata of a GGUF file tell or llama.cpp knows by the architecture's
 * name. Knows no files. Spec: docs/spec/model.md §10.
 * @module
 */
import type { ModelConfig, ModelExtras, ModelSizes, RopeScaling } from '../config.ts'
import { gemmaEmbeddingFactor, isGemma } from '../huggingface-families.ts'
import { longAttentionFactor, yarnAttentionFactor } from '../huggingface-rope.ts'
import { badGguf, decimal, type GgufFields, type GgufParts, unsupportedGguf } from './fields.ts'
import { llama3Scaling } from './rope-factors.ts'
import { LONG_FACTORS_NAME } from './tensors.ts'

const FACTOR = { min: 1, max: 1e6 }
const CAP = { min: 1e-3, max: 1e6 }
const DEFAULT_THETA = 10_000

/** Layers of the models whose scores are divided by √(hidden ÷ heads): Gemma 2 27B and Gemma 3 27B. */
const SHARE_SCALED = { gemma2: 46, gemma3: 62 } as const

export type Attention = Pick<ModelConfig, 'ropeTheta' | 'ropeScaling' | 'slidingWindow'> & {
  readonly extras: Partial<ModelExtras>
}

/** Throws MODEL_UNSUPPORTED or MODEL_BAD_CONFIG. */
export function readAttention(fields: GgufFields, sizes: ModelSizes, parts: GgufParts): Attention {
  const { all, of } = fields
  const ropeTheta = all.has(of('rope.freq_base'))
    ? decimal(all.number(of('rope.freq_base'), { min: 1, max: 1e12 }))
    : DEFAULT_THETA
  const { slidingWindow, ...windows } = readWindows(fields, sizes)
  const rotarySize = readRotarySize(fields, sizes.headSize)
  return {
    ropeTheta,
    ropeScaling: readScaling(fields, { ...sizes, ropeTheta, rotarySize }, parts),
    slidingWindow,
    extras: { ...readGemma(fields, sizes), ...windows, rotarySize, unrotatedLayers: unrotatedLayers(fields, sizes) },
  }
}

function readGemma({ all, of, family }: GgufFields, sizes: ModelSizes): Partial<ModelExtras> {
  if (!isGemma(family)) return {}
  const { hiddenSize, headCount, headSize, layerCount } = sizes
  const gemma = { gate: 'gelu', embeddingFactor: gemmaEmbeddingFactor(hiddenSize) } as const
  if (family !== 'gemma2' && family !== 'gemma3') return gemma
  const cap = (key: string, absent: number): number => (all.has(of(key)) ? decimal(all.number(of(key), CAP)) : absent)
  const isGemma2 = family === 'gemma2'
  return {
    ...gemma,
    outputNorms: true,
    scoreSize: layerCount === SHARE_SCALED[family] ? Math.floor(hiddenSize / headCount) : headSize,
    scoreCap: cap('attn_logit_softcapping', isGemma2 ? 50 : 0),
    logitCap: cap('final_logit_softcapping', isGemma2 ? 30 : 0),
  }
}

/** llama.cpp has no key for it. */
function unrotatedLayers({ family }: GgufFields, { layerCount }: ModelSizes): number[] {
  return layersWhere(layerCount, (layer) => family === 'smollm3' && (layer + 1) % 4 === 0)
}

function layersWhere(layerCount: number, isOne: (layer: number) => boolean): number[] {
  return Array.from({ length: layerCount }, (_, layer) => layer).filter(isOne)
}

function readRotarySize({ all, of, family }: GgufFields, headSize: number): number {
  const key = of('rope.dimension_count')
  if (!all.has(key)) return headSize
  const size = all.integer(key, { min: 2, max: headSize })
  if (size !== headSize && (family !== 'phi3' || size % 2 !== 0)) {
    throw unsupportedGguf(`${key} of ${size} with heads of ${headSize}`, 'They must be equal')
  }
  return size
}

type Windows = Pick<ModelConfig, 'slidingWindow'> & Partial<Pick<ModelExtras, 'windowLayers' | 'windowTheta'>>

/** A window as long as the context is none, but for Gemma 3, whose layers with one rotate otherwise. */
function readWindows({ all, of, family }: GgufFields, { contextLength, layerCount }: ModelSizes): Windows {
  const key = of('attention.sliding_window')
  const window = all.has(key) ? all.integer(key, { min: 0, max: Number.MAX_SAFE_INTEGER }) : 0
  switch (family) {
    case 'gemma2': {
      if (window === 0) throw badGguf(`${key} is missing`)
      return { slidingWindow: window, windowLayers: layersWhere(layerCount, (layer) => layer % 2 === 0) }
    }
    case 'gemma3': {
      if (window === 0) throw badGguf(`${key} is missing`)
      const patternKey = of('attention.sliding_window_pattern')
      const pattern = all.has(patternKey) ? all.integer(patternKey, { min: 2, max: layerCount + 1 }) : 6
      const thetaKey = of('rope.freq_base_swa')
      const windowLayers = layersWhere(layerCount, (layer) => (layer + 1) % pattern !== 0)
      return {
        slidingWindow: window,
        windowLayers: windowLayers.length === layerCount ? undefined : windowLayers,
        windowTheta: all.has(thetaKey) ? decimal(all.number(thetaKey, { min: 1, max: 1e12 })) : DEFAULT_THETA,
      }
    }
    default:
      if (window === 0 || window >= contextLength) return { slidingWindow: undefined }
      if (family === 'llama' || family === 'phi3') return { slidingWindow: window }
      throw unsupportedGguf(
        `a sliding window of ${window} for ${family} models`,
        'Import the safetensors of this model',
      )
  }
}

interface Rotation extends ModelSizes {
  readonly ropeTheta: number
  readonly rotarySize: number
}

function readScaling(fields: GgufFields, rotation: Rotation, parts: GgufParts): RopeScaling {
  const { all, of, family } = fields
  const { headSize, ropeTheta } = rotation
  const type = all.has(of('rope.scaling.type')) ? all.text(of('rope.scaling.type')) : 'none'
  if (parts.longFactors !== undefined) {
    if (family !== 'phi3' || (type !== 'none' && type !== 'longrope')) throw badGguf('it scales rotary positions twice')
    return readLongRope(fields, rotation, parts.longFactors)
  }
  // Before a download, only names are known.
  if (parts.tensors.has(LONG_FACTORS_NAME)) return { type: 'none' }
  const scaling = readPlainScaling(fields, type)
  if (parts.ropeFactors === undefined) return scaling
  if (scaling.type !== 'none') throw badGguf('it scales rotary positions twice')
  return llama3Scaling(parts.ropeFactors, { headSize, ropeTheta })
}

function readPlainScaling({ all, of, family }: GgufFields, type: string): RopeScaling {
  const number = (key: string, absent: number): number =>
    all.has(of(key)) ? decimal(all.number(of(key), FACTOR)) : absent
  const old = number('rope.scale_linear', 1)
  if (all.has(of('rope.scaling.attn_factor')) && number('rope.scaling.attn_factor', 1) !== 1) {
    throw unsupportedGguf(of('rope.scaling.attn_factor'), 'Import the safetensors of this model')
  }
  switch (type) {
    case 'none':
      return old === 1 ? { type: 'none' } : { type: 'linear', factor: old }
    case 'linear':
      return { type: 'linear', factor: decimal(all.number(of('rope.scaling.factor'), FACTOR)) }
    case 'yarn': {
      if (isGemma(family) || family === 'phi3') break
      const factor = decimal(all.number(of('rope.scaling.factor'), FACTOR))
      return {
        type: 'yarn',
        factor,
        originalContextLength: all.integer(of('rope.scaling.original_context_length'), { min: 1, max: 1_048_576 }),
        fastRotations: number('rope.scaling.yarn_beta_fast', 32),
        slowRotations: number('rope.scaling.yarn_beta_slow', 1),
        attentionFactor: yarnAttentionFactor(factor),
      }
    }
  }
  throw unsupportedGguf(
    `rope scaling of type ${type} for ${family} models`,
    'It takes none, linear, yarn and the factors of Llama 3 and Phi-3',
  )
}

function readLongRope(
  { all, of }: GgufFields,
  { contextLength, rotarySize }: Rotation,
  lists: NonNullable<GgufParts['longFactors']>,
): RopeScaling {
  const [shortFactors, longFactors] = [lists.short, lists.long].map((list) => [...list])
  const isFine = [shortFactors!, longFactors!].every(
    (list) => list.length === rotarySize / 2 && list.every((factor) => factor >= 1 && factor <= FACTOR.max),
  )
  if (!isFine) throw badGguf('its rotary factors are not one from 1 for each frequency')
  const originalContextLength = all.integer(of('rope.scaling.original_context_length'), { min: 2, max: 1_048_576 })
  const computed = longAttentionFactor(contextLength, originalContextLength)
  const key = of('rope.scaling.attn_factor')
  const given = all.has(key) ? all.number(key, { min: 1e-3, max: 1e3 }) : computed
  return {
    type: 'longrope',
    shortFactors: shortFactors!,
    longFactors: longFactors!,
    originalContextLength,
    // The file has it as f32, of what config.json's reader computes in f64.
    attentionFactor: Math.fround(computed) === Math.fround(given) ? computed : decimal(given),
  }
}
