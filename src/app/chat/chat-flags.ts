/**
 * Sampling from flags, model and defaults: a flag wins over what the model's authors suggest, which wins over ours.
 * @module
 */
import type { Random } from '../../base/ports.ts'
import type { GenerationDefaults } from '../../ml/manifest.ts'
import { SamplingError, validateSampling } from '../../ml/sampler.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import { UsageError } from '../base-command.ts'

export interface GenerationFlags {
  readonly 'max-tokens': number
  readonly temperature?: string | undefined
  readonly 'top-k'?: number | undefined
  readonly 'top-p'?: string | undefined
  readonly 'min-p'?: string | undefined
  readonly 'repetition-penalty'?: string | undefined
  readonly seed?: string | undefined
  readonly digests: boolean
}

const DEFAULTS: Required<GenerationDefaults> = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0, repetitionPenalty: 1 }

/** Throws USAGE, naming the flag, for a text that is no number and for a number out of its range. */
export function generationFrom(flags: GenerationFlags, suggested: GenerationDefaults, random: Random): Generation {
  const base = { ...DEFAULTS, ...suggested }
  const generation: Generation = {
    maxTokens: flags['max-tokens'],
    temperature: numberOf('temperature', flags.temperature) ?? base.temperature,
    topK: flags['top-k'] ?? base.topK,
    topP: numberOf('top-p', flags['top-p']) ?? base.topP,
    minP: numberOf('min-p', flags['min-p']) ?? base.minP,
    repetitionPenalty: numberOf('repetition-penalty', flags['repetition-penalty']) ?? base.repetitionPenalty,
    seed: flags.seed === undefined ? randomSeed(random) : seedOf(flags.seed),
    withDigests: flags.digests,
  }
  checkRanges(generation)
  return generation
}

function checkRanges(generation: Generation): void {
  try {
    validateSampling(generation)
  } catch (error) {
    if (!(error instanceof SamplingError)) throw error
    const { name, min, max, value } = error.details
    const flag = String(name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    throw new UsageError('USAGE', `--${flag} takes a number from ${min} to ${max}, not ${value}.`)
  }
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new UsageError('USAGE', `--${flag} takes a number, not "${text}".`)
}

function seedOf(text: string): bigint {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text)
  throw new UsageError('USAGE', `--seed takes a whole number from 0 to 2^64 − 1, not "${text}".`)
}

function randomSeed(random: Random): bigint {
  return random.bytes(8).reduce((seed, byte) => (seed << 8n) | BigInt(byte), 0n)
}
