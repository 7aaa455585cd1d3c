/**
 * Scaling of rotary positions as config.json writes it. Spec: docs/spec/model.md §1; what the numbers mean: docs/spec/numerics.md §7.
 * @module
 */
import { shown } from '../base/error.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelFamily, RopeScaling } from './config.ts'
import { logF64 } from './exact-math.ts'
import { badConfig, isGemma, unsupported } from './huggingface-families.ts'
import type { JsonFields } from './json-fields.ts'

const FACTOR = { min: 1, max: 1e6 }
const ATTENTION_FACTOR = { min: 1e-3, max: 1e3 }
const CONTEXT = { min: 1, max: MODEL_LIMITS.contextMax }
const ORIGINAL = 'original_max_position_embeddings'

export interface RopeSurroundings {
  readonly family: ModelFamily
  /** The whole config.json. */
  readonly fields: JsonFields
  readonly contextLength: number
  readonly ropeTheta: number
  readonly rotarySize: number
}

/** Throws MODEL_UNSUPPORTED, naming the type, where the family is not known to have it. */
export function readScaling(rope: JsonFields, around: RopeSurroundings): RopeScaling {
  const named = ['rope_type', 'type'].map((key) => rope.raw(key)).find((value) => value !== undefined) ?? 'default'
  const { family } = around
  // What transformers does with Phi-3's first configs.
  const type = family === 'phi3' && (named === 'su' || named === 'yarn') ? 'longrope' : named
  const hasYarn = family !== 'phi3' && !isGemma(family)
  if (type === 'default') return { type: 'none' }
  if (type === 'linear' && family !== 'phi3') return { type: 'linear', factor: rope.number('factor', FACTOR) }
  if (type === 'llama3' && hasYarn) return readLlama3(rope)
  if (type === 'yarn' && hasYarn) return readYarn(rope, around)
  if (type === 'longrope' && family === 'phi3') return readLongRope(rope, around)
  const known = family === 'phi3' ? 'default and longrope' : `default, linear${hasYarn ? ', llama3 and yarn' : ''}`
  throw unsupported(`rope scaling of type ${shown(named)} for ${family} models`, `It takes ${known}`)
}

function readLlama3(rope: JsonFields): RopeScaling {
  const low = rope.number('low_freq_factor', FACTOR)
  const high = rope.number('high_freq_factor', FACTOR)
  if (high <= low) throw badConfig('high_freq_factor must be larger than low_freq_factor')
  return {
    type: 'llama3',
    factor: rope.number('factor', FACTOR),
    lowFrequencyFactor: low,
    highFrequencyFactor: high,
    originalContextLength: rope.integer(ORIGINAL, CONTEXT),
  }
}

function readYarn(rope: JsonFields, { contextLength, ropeTheta }: RopeSurroundings): RopeScaling {
  for (const key of ['mscale', 'mscale_all_dim']) {
    if (rope.has(key) && rope.raw(key) !== 0) throw unsupported(`${key} of yarn`, 'Choose a model without it')
  }
  if (rope.has('truncate') && !rope.flag('truncate')) throw unsupported('yarn without truncate', 'It takes true')
  if (ropeTheta < 2) throw badConfig('rope_theta must be at least 2 with yarn')
  const rotations = (key: string, absent: number): number =>
    rope.has(key) ? rope.number(key, { min: 1e-3, max: 1e6 }) : absent
  const factor = rope.number('factor', FACTOR)
  return {
    type: 'yarn',
    factor,
    originalContextLength: rope.has(ORIGINAL) ? rope.integer(ORIGINAL, CONTEXT) : contextLength,
    fastRotations: rotations('beta_fast', 32),
    slowRotations: rotations('beta_slow', 1),
    attentionFactor: rope.has('attention_factor')
      ? rope.number('attention_factor', ATTENTION_FACTOR)
      : yarnAttentionFactor(factor),
  }
}

/** What yarn's authors suggest: 0.1·ln(factor) + 1. */
export function yarnAttentionFactor(factor: number): number {
  return factor <= 1 ? 1 : 0.1 * logF64(factor) + 1
}

function readLongRope(rope: JsonFields, around: RopeSurroundings): RopeScaling {
  for (const key of ['short_mscale', 'long_mscale']) {
    if (rope.has(key)) throw unsupported(`${key} of longrope`, 'Choose a model without it')
  }
  const count = around.rotarySize / 2
  const factors = (key: string): number[] => {
    const items = rope.list(key, MODEL_LIMITS.hiddenMax)
    const isFine = items.every((item) => typeof item === 'number' && item >= FACTOR.min && item <= FACTOR.max)
    if (!isFine || items.length !== count) throw badConfig(`${key} must have ${count} numbers from 1`)
    // transformers computes with f32 of them.
    return (items as number[]).map(Math.fround)
  }
  const source = [rope, around.fields].find((fields) => fields.has(ORIGINAL))
  const originalContextLength = source?.integer(ORIGINAL, { min: 2, max: MODEL_LIMITS.contextMax }) ?? 4_096
  return {
    type: 'longrope',
    shortFactors: factors('short_factor'),
    longFactors: factors('long_factor'),
    originalContextLength,
    attentionFactor: rope.has('attention_factor')
      ? rope.number('attention_factor', ATTENTION_FACTOR)
      : longAttentionFactor(around.contextLength, originalContextLength),
  }
}

/** What LongRoPE's authors suggest: √(1 + ln s ÷ ln original) for a context s times the original one. */
export function longAttentionFactor(contextLength: number, original: number): number {
  const times = contextLength / original
  return times <= 1 ? 1 : Math.sqrt(1 + logF64(times) / logF64(original))
}
