import { describe, expect, test } from 'vitest'
import { type SamplingOptions, sampleToken, validateSampling } from '../../../src/ml/sampler.ts'

const base: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 7n }

/** How often each token comes in `draws` positions. */
function frequencies(logits: number[], options: Partial<SamplingOptions>, draws = 20_000): number[] {
  const counts = logits.map(() => 0)
  for (let position = 0; position < draws; position++) {
    const token = sampleToken({
      logits: Float32Array.from(logits),
      options: { ...base, ...options },
      history: [],
      position,
    })
    counts[token]! += 1
  }
  return counts.map((count) => count / draws)
}

describe('sampling', () => {
  const logits = [Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)]

  test.each([
    ['the whole distribution', {}, [0.5, 0.3, 0.15, 0.05]],
    ['the top two', { topK: 2 }, [0.625, 0.375, 0, 0]],
    ['a top-p prefix that reaches 0.8', { topP: 0.79 }, [0.625, 0.375, 0, 0]],
    ['tokens of at least a quarter of the largest', { minP: 0.25 }, [0.5263, 0.3158, 0.1579, 0]],
    ['a sharper distribution at temperature 0.5', { temperature: 0.5 }, [0.6849, 0.2466, 0.0616, 0.0068]],
    ['the largest only at temperature 0', { temperature: 0 }, [1, 0, 0, 0]],
    ['top-k and top-p together', { topK: 3, topP: 0.5 }, [1, 0, 0, 0]],
  ])('draws from %s', (_case, options, expected) => {
    const found = frequencies(logits, options)
    for (const [token, share] of expected.entries()) expect(Math.abs(found[token]! - share)).toBeLessThan(0.012)
  })

  test('is a pure function of logits, options and position', () => {
    const wide = Float32Array.from({ length: 500 }, (_, index) => Math.fround(Math.sin(index * 12.9898) * 5))
    const pick = (position: number) =>
      sampleToken({ logits: wide, options: { ...base, topP: 0.95 }, history: [], position })
    const once = Array.from({ length: 50 }, (_, position) => pick(position))
    const backwards = Array.from({ length: 50 }, (_, position) => pick(49 - position)).reverse()
    expect(backwards).toEqual(once)
    expect(new Set(once).size).toBeGreaterThan(10)
  })

  test('takes the lowest id among equal logits', () => {
    expect(
      sampleToken({ logits: Float32Array.of(1, 3, 3), options: { ...base, temperature: 0 }, history: [], position: 0 }),
    ).toBe(1)
    expect(
      sampleToken({ logits: Float32Array.of(1, 3, 3), options: { ...base, topK: 1 }, history: [], position: 0 }),
    ).toBe(1)
  })

  test('penalises tokens of the session once, whatever their sign', () => {
    const options = { ...base, temperature: 0, repetitionPenalty: 2 }
    const pick = (values: number[], history: number[]) =>
      sampleToken({ logits: Float32Array.from(values), options, history, position: 0 })
    expect(pick([3, 2], [0])).toBe(1)
    expect(pick([-1, -1.5], [0])).toBe(1)
    expect(pick([3, 1], [0, 0, 0])).toBe(0)
  })

  test.each([
    ['temperature', { temperature: -1 }],
    ['temperature', { temperature: Number.NaN }],
    ['topK', { topK: 1.5 }],
    ['topP', { topP: 0 }],
    ['minP', { minP: 2 }],
    ['repetitionPenalty', { repetitionPenalty: 0 }],
    ['seed', { seed: -1n }],
  ])('refuses a %s out of range', (name, change) => {
    expect(() => validateSampling({ ...base, ...change })).toThrow(new RegExp(name))
  })
})
