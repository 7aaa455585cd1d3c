import { describe, expect, test } from 'vitest'
import { capped, gated } from '../../../src/ml/engine/reference-math.ts'
import { tanhF32 } from '../../../src/ml/exact-math.ts'

/** From −20 to 20, and what is near nothing. */
const ARGUMENTS = [
  ...Array.from({ length: 4_001 }, (_, index) => Math.fround((index - 2_000) / 100)),
  1e-6,
  -1e-6,
  1e-30,
]

const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))

function furthest(found: (x: number) => number, wanted: (x: number) => number): number {
  return ARGUMENTS.reduce((most, x) => Math.max(most, Math.abs(found(x) - wanted(x))), 0)
}

const geluOf = (x: number): number => gated(Float32Array.of(x), Float32Array.of(1), 'gelu')[0]!

describe('the reference', () => {
  test('computes tanh as near as the specification says', () => {
    expect(furthest(tanhF32, Math.tanh)).toBeLessThan(2e-7)
  })

  test('computes gelu as near as f32 lets it be', () => {
    expect(
      furthest(
        (x) => geluOf(x) / Math.max(1, Math.abs(x)),
        (x) => gelu(x) / Math.max(1, Math.abs(x)),
      ),
    ).toBeLessThan(2e-7)
  })

  test.each([
    ['large', 3e30, 3e30],
    ['large and negative', -3e30, 0],
    ['nothing', 0, 0],
  ])('gives the limits of gelu where its argument is %s', (_case, x, wanted) => {
    expect(Math.abs(geluOf(x) - Math.fround(wanted))).toBeLessThan(1e-6)
  })

  test('holds what it caps within the cap, in its order, and leaves it alone without one', () => {
    const found = ARGUMENTS.slice(0, 4_001).map((x) => capped(x * 10, 30))
    expect(found.every((value, index) => Math.abs(value) <= 30 && (index === 0 || value >= found[index - 1]!))).toBe(
      true,
    )
    expect(capped(1e30, 30)).toBe(30)
    expect(capped(-1e30, 30)).toBe(-30)
    expect(capped(123.5, 0)).toBe(123.5)
  })
})
