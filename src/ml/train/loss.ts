/**
 * How wrong a model is about the next tokens: mean cross-entropy in nats.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import type { Tensor, Tensorflow } from '../engine/tfjs/tensorflow.ts'

/** A target that does not count: padding, or a part of the text that the model need not learn. */
export const IGNORED: number = -1

/** Mean of −ln p(target) over the targets that count, a scalar; 0 where none does. */
export function crossEntropy(tf: Tensorflow, logits: Tensor, targets: Int32Array): Tensor {
  const [rows, vocabulary] = logits.shape as [number, number] // (n, vocabulary); targets (n)
  const counted = targets.reduce((count, target) => count + (target === IGNORED ? 0 : 1), 0)
  // One-hot of −1 is a row of zeros. Indices would need a gradient that wasm does not have.
  const wanted = tf.cast(tf.oneHot(tf.tensor(targets, [rows], 'int32'), vocabulary), 'float32')
  const logProbabilities = tf.logSoftmax(logits, -1)
  return tf.mul(tf.sum(tf.mul(wanted, logProbabilities)), -1 / Math.max(1, counted))
}
