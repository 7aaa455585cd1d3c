/**
 * One layer of the Llama family on tensors, for a batch of sessions of equal length: the one definition behind the tfjs engine and
 * training. Where weights come from and what attention remembers, the caller says.
 * Spec: docs/spec/float.md §1; formulas: docs/spec/numerics.md §6.
 * @module
 */
import type { ModelConfig } from '../../config.ts'
import type { LayerPart } from '../../tensors.ts'
import type { ModelOps } from './model-ops.ts'
import type { Tensor } from './tensorflow.ts'

export interface LayerWeights {
  /** x·Wᵀ of a matrix of the layer, (rows, in) to (rows, out). */
  product(part: LayerPart, x: Tensor): Tensor
  vector(part: LayerPart): Tensor
}

export interface KeysValues {
  readonly keys: Tensor // (batch, V, positions, h)
  readonly values: Tensor // (batch, V, positions, h)
}

export interface LayerContext {
  readonly ops: ModelOps
  readonly config: ModelConfig
  readonly batch: number
  /** Rows of each session. */
  readonly rows: number
  readonly rope: { readonly cos: Tensor; readonly sin: Tensor } // (rows, h/2)
  readonly mask: Tensor // (rows, positions)
  /** From the keys and values of these rows to those of all positions that the mask speaks of. */
  readonly remember: (fresh: KeysValues) => KeysValues
  /** Is told of tensors that must be finite and whose squares must be. */
  readonly watch?: ((values: Tensor) => void) | undefined
}

/** x and the result: (batch·rows, d), session after session. */
export function layerForward(x: Tensor, weights: LayerWeights, context: LayerContext): Tensor {
  const { ops, config, watch } = context
  const { tf } = ops
  watch?.(x)
  const normed = ops.rmsNorm(x, weights.vector('attentionNorm'), config.normEpsilon)
  const middle = tf.add(x, weights.product('attentionOutput', attention(normed, weights, context)))
  watch?.(middle)
  const inner = ops.rmsNorm(middle, weights.vector('feedForwardNorm'), config.normEpsilon)
  const gated = ops.gated(weights.product('gate', inner), weights.product('up', inner))
  return tf.add(middle, weights.product('down', gated))
}

function attention(normed: Tensor, weights: LayerWeights, context: LayerContext): Tensor {
  const { ops, config, batch, rows, rope, mask, watch } = context
  const { headCount, keyValueHeadCount, headSize } = config
  const query = ops.rope(heads(normed, weights, { context, part: 'query', count: headCount }), rope)
  const keys = ops.rope(heads(normed, weights, { context, part: 'key', count: keyValueHeadCount }), rope)
  const values = heads(normed, weights, { context, part: 'value', count: keyValueHeadCount })
  const attended = ops.attention({ query, ...context.remember({ keys, values }), mask, watch })
  return ops.tf.reshape(ops.tf.transpose(attended, [0, 2, 1, 3]), [batch * rows, headCount * headSize])
}

const EXTRAS = {
  query: { bias: 'queryBias', norm: 'queryNorm' },
  key: { bias: 'keyBias', norm: 'keyNorm' },
  value: { bias: 'valueBias', norm: undefined },
} as const

/** One of query, key, value by heads: (batch, count, rows, h). */
function heads(
  normed: Tensor,
  weights: LayerWeights,
  of: { context: LayerContext; part: keyof typeof EXTRAS; count: number },
): Tensor {
  const { ops, config, batch, rows } = of.context
  const { bias, norm } = EXTRAS[of.part]
  let projected = weights.product(of.part, normed)
  if (config.queryKeyValueBias) projected = ops.tf.add(projected, weights.vector(bias))
  let split = ops.tf.reshape(projected, [batch, rows, of.count, config.headSize])
  if (config.queryKeyNorm && norm !== undefined) split = ops.rmsNorm(split, weights.vector(norm), config.normEpsilon)
  return ops.tf.transpose(split, [0, 2, 1, 3])
}
