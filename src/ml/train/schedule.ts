/**
 * The learning rate of each step: a rise from zero, then half a cosine down to a tenth of the top.
 * Spec: docs/spec/float.md §4.
 * @module
 */

export interface Schedule {
  readonly top: number
  readonly warmSteps: number
  readonly steps: number
}

const FLOOR = 0.1

/** Of step 0 … steps − 1, and the floor of those after. */
export function rateAt(step: number, { top, warmSteps, steps }: Schedule): number {
  if (step < warmSteps) return (top * (step + 1)) / warmSteps
  const done = Math.min(1, (step - warmSteps) / Math.max(1, steps - warmSteps))
  return top * (FLOOR + (1 - FLOOR) * 0.5 * (1 + Math.cos(Math.PI * done)))
}
