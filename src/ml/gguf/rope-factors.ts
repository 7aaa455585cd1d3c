/**
 * The numbers behind `rope_freqs.weight`. Converters write, for each frequency of a head, what Llama 3 divides it by, and leave out
 * the numbers that this follows from; exact-1 computes with those, so they are found again and checked against every factor.
 * Spec: docs/spec/model.md §10.
 * @module
 */
import type { RopeScaling } from '../config.ts'
import { ModelError } from '../model-error.ts'
import { ropeFrequencies } from '../rope.ts'

/** Every model with such factors has these; their common multiple would change nothing. */
const LOW = 1
const HIGH = 4
/** What the models have, then other powers of two. */
const CONTEXTS: readonly number[] = [8_192, ...Array.from({ length: 15 }, (_, index) => 64 * 2 ** index)]
/** Converters compute frequencies in f32. */
const TOLERANCE = 1e-4

/** The scaling whose factors these are. Throws MODEL_UNSUPPORTED where there is none. */
export function llama3Scaling(
  factors: Float32Array,
  { headSize, ropeTheta }: { readonly headSize: number; readonly ropeTheta: number },
): RopeScaling {
  const factor = factors.reduce((largest, value) => Math.max(largest, value), 1)
  const plain = ropeFrequencies({ headSize, ropeTheta, ropeScaling: { type: 'none' } })
  if (factors.length !== plain.length || !Number.isFinite(factor)) throw unknown()
  if (factor === 1 && factors.every((value) => value === 1)) return { type: 'none' }
  for (const originalContextLength of CONTEXTS) {
    const scaling = {
      type: 'llama3',
      factor,
      lowFrequencyFactor: LOW,
      highFrequencyFactor: HIGH,
      originalContextLength,
    } as const
    const scaled = ropeFrequencies({ headSize, ropeTheta, ropeScaling: scaling })
    const matches = scaled.every((frequency, index) => {
      const wanted = plain[index]! / frequency
      return Math.abs(factors[index]! - wanted) <= TOLERANCE * wanted
    })
    if (matches) return scaling
  }
  throw unknown()
}

function unknown(): ModelError {
  return new ModelError(
    'MODEL_UNSUPPORTED',
    'exact-1 does not compute the rotary factors of rope_freqs.weight: they are not those of Llama 3. Import the safetensors of this model.',
  )
}
