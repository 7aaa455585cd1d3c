import { describe, expect, test } from 'vitest'
import { evenParts } from '../../../../src/app/devnet/even-parts.ts'

describe('parts of a model', () => {
  test.each([
    ['one for all', [3, 1, 2], 1, [[0, 3]]],
    [
      'one for each segment',
      [3, 1, 2],
      3,
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    ],
    [
      'equal segments',
      [1, 1, 1, 1, 1, 1],
      3,
      [
        [0, 2],
        [2, 4],
        [4, 6],
      ],
    ],
    [
      'longer ones first, where they are not equal',
      [1, 1, 1, 1, 1],
      3,
      [
        [0, 2],
        [2, 4],
        [4, 5],
      ],
    ],
    [
      'a head that is as much as a layer',
      [1, 1, 1, 1, 1, 2],
      3,
      [
        [0, 3],
        [3, 5],
        [5, 6],
      ],
    ],
    // TinyLlama's shape: 22 layers in 8 segments, the head as much as one and a half.
    [
      'segments of two and three layers',
      [2, 3, 3, 3, 2, 3, 3, 4.5],
      3,
      [
        [0, 3],
        [3, 6],
        [6, 8],
      ],
    ],
    [
      'segments of which one is most of the work',
      [1, 1, 9, 1],
      2,
      [
        [0, 2],
        [2, 4],
      ],
    ],
  ] as const)('%s', (_case, work, count, expected) => {
    expect(evenParts(work, count).map(({ firstSegment, lastSegment }) => [firstSegment, lastSegment])).toEqual(expected)
  })
})
