/** Sampling against the text of its specification, taken literally (docs/spec/numerics.md §8). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { uniformAt } from '../../src/base/prng.ts'
import { expF32 } from '../../src/ml/exact-math.ts'
import { firstOf, largestFirst } from '../../src/ml/largest-first.ts'
import { type SamplingOptions, sampleToken } from '../../src/ml/sampler.ts'

/** Few different values, so that many are equal, beside any. */
const value = fc.oneof(
  fc.constantFrom(-0, 0, 1, -1, 2.5, 1e-45, -1e-45),
  fc.float({ noNaN: true, noDefaultInfinity: true, min: -30, max: 30 }),
)
/** Up to a few times the number that one pass finds. */
const values = fc.array(value, { minLength: 1, maxLength: 400 }).map((list) => Float32Array.from(list))

function inOrder(list: Float32Array): number[] {
  return [...list.keys()].sort((a, b) => list[b]! - list[a]! || a - b)
}

describe('the order of candidates', () => {
  test('all of them, one by one', () => {
    fc.assert(
      fc.property(values, (list) => {
        const next = largestFirst(list)
        expect(Array.from(list, next)).toEqual(inOrder(list))
        expect(next()).toBeUndefined()
      }),
    )
  })

  test('the first few', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 500 }), (list, count) => {
        expect(Array.from(firstOf(list, count))).toEqual(inOrder(list).slice(0, count))
      }),
    )
  })

  test('ascending values, which change the best at every step', () => {
    const list = Float32Array.from({ length: 1_000 }, (_, index) => index - 500)
    expect(Array.from(list, largestFirst(list))).toEqual([...list.keys()].reverse())
  })
})

const f32 = Math.fround

/** Steps 3 to 5 of §8, for T > 0 and R = 1. */
function drawn(
  logits: Float32Array,
  { temperature, topK, topP, minP, seed }: SamplingOptions,
  position: number,
): number {
  const scaled = logits.map((logit) => f32(logit / f32(temperature)))
  const order = inOrder(scaled)
  const candidates = topK === 0 ? order : order.slice(0, topK)
  const weigh = (id: number): number => expF32(f32(scaled[id]! - scaled[candidates[0]!]!))
  const total = candidates.toSorted((a, b) => a - b).reduce((sum, id) => sum + weigh(id), 0)
  let [kept, sum] = [candidates, total]
  if (topP < 1 || minP > 0) {
    ;[kept, sum] = [[], 0]
    for (const id of candidates) {
      if (kept.length > 0 && !(sum < topP * total && weigh(id) >= minP)) break
      kept.push(id)
      sum += weigh(id)
    }
  }
  const threshold = uniformAt(seed, BigInt(position)) * sum
  let running = 0
  for (const id of kept) {
    running += weigh(id)
    if (running > threshold) return id
  }
  return kept.at(-1)!
}

test('a token is what the specification says', () => {
  const options = fc.record({
    temperature: fc.constantFrom(0.1, 0.8, 1, 3, 100),
    topK: fc.constantFrom(0, 0, 1, 3, 40, 64, 65, 1_000),
    topP: fc.constantFrom(1, 1, 0.95, 0.5, 0.01),
    minP: fc.constantFrom(0, 0, 0.05, 0.9),
    repetitionPenalty: fc.constant(1),
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  })
  fc.assert(
    fc.property(values, options, fc.nat(1_000_000), (logits, chosen, position) => {
      const found = sampleToken({ logits, options: chosen, history: [], position })
      expect(found).toBe(drawn(logits, chosen, position))
    }),
    { numRuns: 500 },
  )
})
