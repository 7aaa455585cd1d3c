import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitIntoSegments } from '../../../src/ml/segments.ts'

test.each([
  [1, [1]],
  [5, [1, 1, 1, 1, 1]],
  [8, [1, 1, 1, 1, 1, 1, 1, 1]],
  [22, [2, 3, 3, 3, 2, 3, 3, 3]],
])('a model of %i layers has segments of %j layers by default', (layerCount, lengths) => {
  const segments = splitIntoSegments({ layerCount })
  expect(segments.map(({ firstLayer, lastLayer }) => lastLayer - firstLayer)).toEqual(lengths)
})

test('segments tile the layers evenly, with the embedding first and the head last', () => {
  const split = fc
    .integer({ min: 1, max: 256 })
    .chain((layerCount) => fc.tuple(fc.constant(layerCount), fc.integer({ min: 1, max: layerCount })))
  fc.assert(
    fc.property(split, ([layerCount, count]) => {
      const segments = splitIntoSegments({ layerCount }, count)
      const lengths = segments.map(({ firstLayer, lastLayer }) => lastLayer - firstLayer)
      expect(segments.length).toBe(count)
      expect(lengths.reduce((sum, length) => sum + length)).toBe(layerCount)
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1)
      expect(segments.map(({ hasEmbedding }) => hasEmbedding).indexOf(true)).toBe(0)
      expect(segments.filter(({ hasHead }) => hasHead)).toEqual([segments.at(-1)])
    }),
  )
})

test.each([0, -1, 6, 1.5, Number.NaN])('%d segments of five layers are refused', (count) => {
  expect(() => splitIntoSegments({ layerCount: 5 }, count)).toThrow(
    expect.objectContaining({ code: 'MODEL_BAD_SEGMENTS' }),
  )
})
