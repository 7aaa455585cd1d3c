/** How a prompt is cut for a ring. @module */
import { expect, test } from 'vitest'
import { usualChunk } from '../../../../src/app/ring/prompt-steps.ts'

test.each([
  [1_000, 1, 256],
  [10, 1, 256],
  [10, 3, 64],
  [1_000, 3, 64],
  [1_535, 3, 64],
  [1_536, 3, 128],
  [4_000, 3, 256],
  [100_000, 3, 256],
  [100_000, 100, 192],
])(
  '%i tokens for %i stages are wanted in chunks of %i: whole passes, several for each stage',
  (tokens, stages, size) => {
    expect(usualChunk(tokens, stages)).toBe(size)
  },
)
