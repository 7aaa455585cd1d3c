/**
 * How answers are drawn that a measure times: the likeliest token each time, and no digests.
 * @module
 */
export const GREEDY = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0n,
  withDigests: false,
} as const
