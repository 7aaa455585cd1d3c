/**
 * The operations that the Llama family is made of, in plain TF.js operations: they run on every backend and have gradients.
 * Weights that do not change may have a kernel of their own (quantized.ts). Knows no layers and no caches.
 * Spec: docs/spec/float.md §1; the formulas are those of docs/spec/numerics.md §6, in any order of sums and without §4.
 * @module
 */
import type { Tensor, Tensorflow } from './tensorflow.ts'

/** Added to scores that a position must not see: its weight becomes 0, and no infinity is made. */
export const MASKED: number = -1e30

export interface AttentionInput {
  readonly query: Tensor // (batch, H, rows, h)
  readonly keys: Tensor // (batch, V, positions, h)
  readonly values: Tensor // (batch, V, positions, h)
  /** 0 where a row sees a position, MASKED elsewhere. */
  readonly mask: Tensor // (rows, positions)
  /** Is told of tensors that must be finite. */
  readonly watch?: ((scores: Tensor) => void) | undefined
}

export interface ModelOps {
  readonly tf: Tensorflow
  /** x·W of a weight that may learn. Weights lie with the fan-in first: the other layout is 15 times slower on wasm. */
  linear(x: Tensor, weight: Tensor): Tensor // (rows, in), (in, out) to (rows, out)
  /** The same of a weight that does not learn: gradients go to x alone. */
  frozenLinear(x: Tensor, weight: Tensor): Tensor
  /** Rows `ids` of a table that may learn. */
  embed(ids: Tensor, table: Tensor): Tensor // (n), (vocabulary, d) to (n, d)
  /** Over the last axis. */
  rmsNorm(x: Tensor, gain: Tensor, epsilon: number): Tensor
  /** Rotates pairs (i, i + h/2) of the last axis. */
  rope(x: Tensor, tables: { cos: Tensor; sin: Tensor }): Tensor // (…, rows, h), (rows, h/2)
  attention(input: AttentionInput): Tensor // (batch, H, rows, h)
  /** silu(gate)·up. */
  gated(gate: Tensor, up: Tensor): Tensor
}

export function createModelOps(tf: Tensorflow): ModelOps {
  return {
    tf,
    linear: (x, weight) => learningProduct(tf, x, weight),
    frozenLinear: (x, weight) => frozenProduct(tf, x, weight),
    embed: (ids, table) => learningRows(tf, ids, table),
    rmsNorm(x, gain, epsilon) {
      const meanSquare = tf.mean(tf.square(x), -1, true)
      return tf.mul(tf.mul(x, tf.rsqrt(tf.add(meanSquare, epsilon))), gain)
    },
    rope(x, { cos, sin }) {
      const half = x.shape.at(-1)! / 2
      const begin = x.shape.map(() => 0)
      const size = [...x.shape.slice(0, -1), half]
      const low = tf.slice(x, begin, size)
      const high = tf.slice(x, [...begin.slice(0, -1), half], size)
      const turnedLow = tf.sub(tf.mul(low, cos), tf.mul(high, sin))
      const turnedHigh = tf.add(tf.mul(high, cos), tf.mul(low, sin))
      return tf.concat([turnedLow, turnedHigh], -1)
    },
    attention: (input) => attend(tf, input),
    gated: (gate, up) => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up),
  }
}

/**
 * `tf.customGrad` with types. What the gradient needs is saved by `save`: other tensors that it captures are gone by then, with the
 * tidy of the forward pass.
 */
function withGradient(
  tf: Tensorflow,
  compute: (inputs: Tensor[], save: (kept: Tensor[]) => void) => Tensor,
  gradient: (dy: Tensor, kept: Tensor[]) => Tensor | Tensor[],
): (...inputs: Tensor[]) => Tensor {
  return tf.customGrad((...given: (Tensor | ((kept: Tensor[]) => void))[]) => {
    const save = given.pop() as (kept: Tensor[]) => void
    return { value: compute(given as Tensor[], save), gradFunc: gradient }
  })
}

/**
 * A product whose gradients use transposed copies: `matMul` with a transpose flag, which TF.js's own gradient uses, has no
 * fast kernel on wasm.
 */
function learningProduct(tf: Tensorflow, x: Tensor, weight: Tensor): Tensor {
  const product = withGradient(
    tf,
    ([a, b], save) => {
      save([a!, b!])
      return tf.matMul(a!, b!)
    },
    (dy, [a, b]) => [tf.matMul(dy, tf.transpose(b!)), tf.matMul(tf.transpose(a!), dy)],
  )
  return product(x, weight)
}

function frozenProduct(tf: Tensorflow, x: Tensor, weight: Tensor): Tensor {
  const product = withGradient(
    tf,
    ([a], save) => {
      save([weight])
      return tf.matMul(a!, weight)
    },
    (dy, [b]) => tf.matMul(dy, tf.transpose(b!)),
  )
  return product(x)
}

/** Rows of a table. The gradient is a product with one-hot rows: wasm has no kernel for the sum by segments. */
function learningRows(tf: Tensorflow, ids: Tensor, table: Tensor): Tensor {
  const vocabulary = table.shape[0]!
  const rows = withGradient(
    tf,
    ([learning], save) => {
      save([ids])
      return tf.gather(learning!, ids)
    },
    (dy, [drawn]) => tf.matMul(tf.transpose(tf.cast(tf.oneHot(tf.cast(drawn!, 'int32'), vocabulary), 'float32')), dy),
  )
  return rows(table)
}

/** Heads that share keys are rows of one product: head j has key/value head ⌊j·V/H⌋, and they lie one after another. */
function attend(tf: Tensorflow, { query, keys, values, mask, watch }: AttentionInput): Tensor {
  const [batch, heads, rows, size] = query.shape as [number, number, number, number]
  const [, shared, positions] = keys.shape as [number, number, number, number]
  const together = [batch, shared, (heads / shared) * rows]
  const scaled = tf.mul(tf.reshape(query, [...together, size]), 1 / Math.sqrt(size))
  const scores = tf.matMul(scaled, tf.transpose(keys, [0, 1, 3, 2]))
  watch?.(scores)
  const seen = tf.add(tf.reshape(scores, [batch, heads, rows, positions]), mask)
  const weights = tf.reshape(tf.softmax(seen, -1), [...together, positions])
  return tf.reshape(tf.matMul(weights, values), [batch, heads, rows, size])
}
