import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitEvenly, splitIntoSegments } from '../../../src/ml/segments.ts'
import type { LayerRange } from '../../../src/ml/tensors.ts'

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

describe('segments are shared out', () => {
  test.each([
    [22, undefined, 1, [22]],
    [22, undefined, 2, [11, 11]],
    [22, undefined, 3, [8, 8, 6]],
    [22, undefined, 4, [5, 6, 5, 6]],
    [22, undefined, 8, [2, 3, 3, 3, 2, 3, 3, 3]],
    [6, undefined, 3, [2, 2, 2]],
    [7, undefined, 6, [1, 1, 1, 2, 1, 1]],
    [3, 2, 2, [1, 2]],
  ])('%i layers in %j segments over %i machines: %j layers', (layerCount, count, machines, layers) => {
    const segments = splitIntoSegments({ layerCount }, count)
    const runs = splitEvenly(segments, machines)
    expect(runs.map(({ firstSegment, lastSegment }) => layersOf(segments, firstSegment, lastSegment))).toEqual(layers)
  })

  test('every machine has one, all are given, in order', () => {
    const split = fc
      .integer({ min: 1, max: 96 })
      .chain((layerCount) => fc.tuple(fc.constant(layerCount), fc.integer({ min: 1, max: layerCount })))
      .chain(([layerCount, count]) =>
        fc.tuple(fc.constant(layerCount), fc.constant(count), fc.integer({ min: 1, max: count })),
      )
    fc.assert(
      fc.property(split, ([layerCount, count, machines]) => {
        const runs = splitEvenly(splitIntoSegments({ layerCount }, count), machines)
        expect(runs.length).toBe(machines)
        expect(runs.map(({ firstSegment }) => firstSegment)).toEqual([
          0,
          ...runs.slice(0, -1).map((run) => run.lastSegment),
        ])
        expect(runs.at(-1)!.lastSegment).toBe(count)
        expect(runs.every(({ firstSegment, lastSegment }) => lastSegment > firstSegment)).toBe(true)
      }),
    )
  })
})

function layersOf(segments: readonly LayerRange[], first: number, last: number): number {
  return segments.slice(first, last).reduce((sum, { firstLayer, lastLayer }) => sum + lastLayer - firstLayer, 0)
}
