/**
 * Logits to a token: repetition penalty, temperature, top-k, top-p, min-p, and a draw from a counter-based
 * generator, so that a sampled text can be recomputed by anybody who has the logits and the seed.
 * Spec: docs/spec/numerics.md §8.
 * @module
 */
import { HouseError } from '../base/error.ts'
import { uniformAt } from '../base/prng.ts'
import { expF32 } from './exact-math.ts'
import { firstOf, largestFirst } from './largest-first.ts'

const f32 = Math.fround

export interface SamplingOptions {
  /** 0: the largest logit wins. */
  readonly temperature: number
  /** 0: no limit. */
  readonly topK: number
  /** In (0, 1]; 1: no limit. */
  readonly topP: number
  /** In [0, 1); 0: no limit. */
  readonly minP: number
  /** ≥ 1 in use; 1: none. */
  readonly repetitionPenalty: number
  /** 64 bits. */
  readonly seed: bigint
}

export class SamplingError extends HouseError<'SAMPLING_OUT_OF_RANGE'> {}

type NumericOption = Exclude<keyof SamplingOptions, 'seed'>

const RANGES: Readonly<Record<NumericOption, { min: number; max: number; whole: boolean }>> = {
  temperature: { min: 0, max: 100, whole: false },
  topK: { min: 0, max: 1_048_576, whole: true },
  topP: { min: 1e-6, max: 1, whole: false },
  minP: { min: 0, max: 1, whole: false },
  repetitionPenalty: { min: 0.1, max: 10, whole: false },
}

/** Throws SAMPLING_OUT_OF_RANGE naming the option; used at every edge where options arrive. */
export function validateSampling(options: SamplingOptions): void {
  for (const name of Object.keys(RANGES) as NumericOption[]) {
    const { min, max, whole } = RANGES[name]
    const value = options[name]
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) continue
    throw new SamplingError(
      'SAMPLING_OUT_OF_RANGE',
      `${name} must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}, not ${value}.`,
      { details: { name, value, min, max } },
    )
  }
  if (options.seed < 0n || options.seed >= 1n << 64n) {
    throw new SamplingError('SAMPLING_OUT_OF_RANGE', 'seed must be a whole number from 0 to 2^64 − 1.')
  }
}

export interface SampleInput {
  readonly logits: Float32Array // (vocabulary); not changed
  readonly options: SamplingOptions
  /** Tokens of the session so far; used by the repetition penalty only. */
  readonly history: Iterable<number>
  /** Position of the token that is drawn: the generator's counter. */
  readonly position: number
}

/** Whether the token is that of the largest logit (§8.2), whatever the session holds: who finds it elsewhere draws the same. */
export function takesLargest({ temperature, repetitionPenalty }: SamplingOptions): boolean {
  return temperature === 0 && f32(repetitionPenalty) === 1
}

/** §8: the next token. */
export function sampleToken(input: SampleInput): number {
  const { options } = input
  const logits = penalized(input)
  if (options.temperature === 0) return largestIndex(logits)
  const temperature = f32(options.temperature)
  const scaled = new Float32Array(logits.length)
  for (let id = 0; id < scaled.length; id++) scaled[id] = logits[id]! / temperature
  return options.topK > 0
    ? drawOf(scaled, firstOf(scaled, options.topK), options, input.position)
    : drawOfAll(scaled, options, input.position)
}

function penalized(input: SampleInput): Float32Array {
  const penalty = f32(input.options.repetitionPenalty)
  if (penalty === 1) return input.logits
  const logits = input.logits.slice()
  for (const token of new Set(input.history)) {
    const logit = logits[token]
    if (logit !== undefined) logits[token] = logit > 0 ? logit / penalty : logit * penalty
  }
  return logits
}

/** §8.2: of equals the first; −0 and 0 are equal. Of no values: 0. */
export function largestIndex(values: Float32Array): number {
  let best = 0
  let most = values[0] ?? 0
  for (let index = 1; index < values.length; index++) {
    const value = values[index]!
    if (!(value > most)) continue
    most = value
    best = index
  }
  return best
}

/** §8.4, §8.5. `candidates` in order. */
function drawOf(
  scaled: Float32Array,
  candidates: ArrayLike<number>,
  options: SamplingOptions,
  position: number,
): number {
  const weights = new Float32Array(scaled.length)
  const largest = scaled[candidates[0]!]!
  let total = 0
  for (const id of Int32Array.from(candidates).sort()) {
    const weight = weightOf(scaled[id]!, largest)
    weights[id] = weight
    total += weight
  }
  return draw({ next: iterate(candidates), weigh: (id) => weights[id]!, total }, options, position)
}

/** The same where all are candidates, of which a draw takes only the first from the order. */
function drawOfAll(scaled: Float32Array, options: SamplingOptions, position: number): number {
  const weights = new Float32Array(scaled.length)
  const largest = scaled[largestIndex(scaled)]!
  let total = 0
  for (let id = 0; id < weights.length; id++) {
    const weight = weightOf(scaled[id]!, largest)
    weights[id] = weight
    total += weight
  }
  return draw({ next: largestFirst(scaled), weigh: (id) => weights[id]!, total }, options, position)
}

/** An f32. */
function weightOf(value: number, largest: number): number {
  return expF32(f32(value - largest))
}

interface Candidates {
  /** In order, one by one. */
  readonly next: () => number | undefined
  readonly weigh: (id: number) => number
  readonly total: number
}

function draw({ next, weigh, total }: Candidates, { topP, minP, seed }: SamplingOptions, position: number): number {
  const target = uniformAt(seed, BigInt(position))
  if (topP >= 1 && minP === 0) return walk(next, weigh, target * total)
  const kept: number[] = []
  let sum = 0
  for (let id = next(); id !== undefined; id = next()) {
    const weight = weigh(id)
    if (kept.length > 0 && (sum >= topP * total || weight < minP)) break
    kept.push(id)
    sum += weight
  }
  return walk(iterate(kept), weigh, target * sum)
}

/** The first id whose running sum exceeds `threshold`; the last one if none does. */
function walk(next: () => number | undefined, weigh: (id: number) => number, threshold: number): number {
  let running = 0
  let last = 0
  for (let id = next(); id !== undefined; id = next()) {
    last = id
    running += weigh(id)
    if (running > threshold) break
  }
  return last
}

function iterate(ids: ArrayLike<number>): () => number | undefined {
  let index = 0
  return () => ids[index++]
}
