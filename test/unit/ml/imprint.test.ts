/** Imprints: the polynomial holds the largest values, small differences stay small, and other rows are told from the same. @module */
import { expect, test } from 'vitest'
import { openTfjs } from '../../../src/app/tfjs/open-tfjs.ts'
import { philox4x32 } from '../../../src/base/prng.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { createTfjsEngine } from '../../../src/ml/engine/tfjs/tfjs.ts'
import { compareImprint, IMPRINT_TOLERANCE, imprintOf, isWithin } from '../../../src/ml/imprint.ts'
import { asFloats, step, tokensOf, valuesOf } from '../../contract/engine-case.ts'
import { generator, randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

function rows(count: number, seed: number): Float32Array {
  const random = generator(seed)
  // Few large values among many small ones, as activations are.
  return Float32Array.from({ length: count }, () => random.real(2) ** 7)
}

test.each([1, 5, 128, 129, 6_144])('of %d values the largest are read back to 15 bits', (count) => {
  const values = rows(count, 3)
  const imprint = imprintOf(values)
  expect(imprint.coefficients.length).toBe(Math.min(count, 128))
  expect(imprint.coefficients.every((coefficient) => coefficient < 2 ** 24)).toBe(true)
  const match = compareImprint(imprint, values)
  expect(match.missing).toBe(0)
  expect(match.medianDifference).toBeLessThan(2 ** -15)
})

test.each([
  ['as large as rounding', 1e-6, true],
  ['within the tolerance', IMPRINT_TOLERANCE.medianDifference / 2, true],
  ['past it', IMPRINT_TOLERANCE.medianDifference * 4, false],
  ['a hundredth', 0.01, false],
])('a difference %s: %d is accepted: %s', (_what, share, accepted) => {
  const values = rows(4_000, 5)
  const random = generator(6)
  const others = values.map((value) => value * (1 + random.real(2 * share)))
  expect(isWithin(compareImprint(imprintOf(others), values))).toBe(accepted)
})

test.each([
  ['other rows', (values: Float32Array) => rows(values.length, 99)],
  ['the same values elsewhere', (values: Float32Array) => values.toReversed()],
  ['the negative', (values: Float32Array) => values.map((value) => -value)],
  ['zeros', (values: Float32Array) => new Float32Array(values.length)],
])('%s have another imprint', (_what, change) => {
  const values = rows(4_000, 5)
  const match = compareImprint(imprintOf(change(values)), values)
  expect(match.missing).toBeGreaterThan(0.5)
  expect(isWithin(match)).toBe(false)
})

test('coefficients that somebody made up are noise', () => {
  const coefficients = Uint32Array.from(
    { length: 128 },
    (_unused, at) => philox4x32([at, 0, 0, 0], [1, 2])[0] % 2 ** 24,
  )
  expect(compareImprint({ coefficients }, rows(4_000, 5)).missing).toBeGreaterThan(0.9)
})

test('a float engine has the imprint of the same weights, and not that of others', async () => {
  const { tf, backend } = await openTfjs('wasm')
  const config = smallConfig({ layerCount: 2 })
  const range = { ...wholeRange(config), hasHead: false }
  const options = (seed: number) => ({
    config,
    range,
    cacheBytesMax: 1 << 24,
    weights: asFloats(randomWeights({ config, format: 'q8', seed })),
  })
  const input = { type: 'tokens', tokens: tokensOf(config, 32) } as const
  const stage = await createTfjsEngine(tf, { backend }).createStage(options(1))
  const found = valuesOf((await stage.run([step(stage.openCache(32), 0, input)]))[0])
  await stage.close()
  const expected = (seed: number) => {
    const oracle = createReferenceEngine().createStage(options(seed))
    return valuesOf(oracle.run([step(oracle.openCache(32), 0, input)])[0])
  }
  expect(isWithin(compareImprint(imprintOf(found), expected(1)))).toBe(true)
  expect(isWithin(compareImprint(imprintOf(found), expected(2)))).toBe(false)
})

test('a window has values', () => {
  expect(() => imprintOf(new Float32Array(0))).toThrow('a window has places')
})
