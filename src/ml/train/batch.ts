/**
 * Tokens to learn from: rows of equal length, cut out of longer texts.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { uniformAt } from '../../base/prng.ts'

/** Texts of one batch: each token of `inputs` is followed by the one of `targets` at the same place. */
export interface TokenBatch {
  readonly batch: number
  readonly rows: number
  readonly inputs: Int32Array // (batch·rows)
  readonly targets: Int32Array // (batch·rows); IGNORED where nothing is to be learnt
}

export interface BatchShape {
  readonly batch: number
  readonly rows: number
}

/** Windows of `tokens` at places drawn by seed and step: the same step draws the same batch, on every machine. */
export function drawBatch(
  tokens: Int32Array,
  { batch, rows }: BatchShape,
  draw: { seed: bigint; step: number },
): TokenBatch {
  const last = tokens.length - rows - 1
  assert(last >= 0, 'the text is longer than a row')
  const inputs = new Int32Array(batch * rows)
  const targets = new Int32Array(batch * rows)
  for (let row = 0; row < batch; row++) {
    const place = uniformAt(draw.seed, BigInt(draw.step * batch + row))
    const start = Math.floor(place * (last + 1))
    inputs.set(tokens.subarray(start, start + rows), row * rows)
    targets.set(tokens.subarray(start + 1, start + rows + 1), row * rows)
  }
  return { batch, rows, inputs, targets }
}
