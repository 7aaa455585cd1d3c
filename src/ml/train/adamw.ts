/**
 * AdamW (Loshchilov & Hutter, arXiv 1711.05101) with gradients clipped by their common norm. Everything stays on the device: a step
 * waits for nothing.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Tensor, Tensorflow, Variable } from '../engine/tfjs/tensorflow.ts'

export interface AdamWOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Per unit of rate, of matrices only. */
  readonly weightDecay: number
  /** Norm of all gradients together at the most. */
  readonly gradientNormMax: number
}

export const ADAMW_DEFAULTS: AdamWOptions = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  gradientNormMax: 1,
}

/** Running means of the gradient and of its square. */
interface Moments {
  readonly mean: Variable
  readonly square: Variable
}

export interface AdamW {
  /** Moves the variables against their gradients. Returns the gradients' norm before clipping, a scalar that the caller disposes. */
  apply(gradients: ReadonlyMap<string, Tensor>, rate: number): Tensor
  /** Steps so far. */
  readonly steps: number
  /** What a checkpoint must hold beside the variables, by name. */
  readonly state: ReadonlyMap<string, Variable>
  /** Goes on after `steps` steps; the state's values are the caller's to set. */
  resume(steps: number): void
  dispose(): void
}

export function createAdamW(
  tf: Tensorflow,
  variables: ReadonlyMap<string, Variable>,
  options: AdamWOptions = ADAMW_DEFAULTS,
): AdamW {
  const { beta1, beta2, epsilon, weightDecay, gradientNormMax } = options
  const moments = new Map<string, Moments>()
  for (const [name, variable] of variables) {
    const zeros = () => tf.tidy(() => tf.variable(tf.zerosLike(variable), false))
    moments.set(name, { mean: zeros(), square: zeros() })
  }
  let steps = 0

  const move = (variable: Variable, of: Moments, gradient: Tensor, rate: number): void => {
    const mean = tf.add(tf.mul(of.mean, beta1), tf.mul(gradient, 1 - beta1))
    const square = tf.add(tf.mul(of.square, beta2), tf.mul(tf.square(gradient), 1 - beta2))
    of.mean.assign(mean)
    of.square.assign(square)
    // Means that began at zero are too small by these factors.
    const root = tf.sqrt(tf.div(square, 1 - beta2 ** steps))
    const direction = tf.div(tf.div(mean, 1 - beta1 ** steps), tf.add(root, epsilon))
    const decay = variable.rank < 2 ? 0 : weightDecay
    variable.assign(tf.sub(tf.mul(variable, 1 - rate * decay), tf.mul(direction, rate)))
  }

  return {
    get steps() {
      return steps
    },
    state: new Map(
      [...moments].flatMap(([name, { mean, square }]) => [
        [`${name}.mean`, mean],
        [`${name}.square`, square],
      ]),
    ),
    resume: (done) => {
      steps = done
    },
    apply(gradients, rate) {
      steps += 1
      return tf.tidy(() => {
        const norm = tf.sqrt(tf.addN([...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)))))
        const factor = tf.minimum(1, tf.div(gradientNormMax, tf.add(norm, 1e-12)))
        for (const [name, variable] of variables) {
          const gradient = gradients.get(name)
          assert(gradient !== undefined, `there is a gradient of ${name}`)
          move(variable, moments.get(name)!, tf.mul(gradient, factor), rate)
        }
        return norm
      })
    },
    dispose: () => {
      for (const { mean, square } of moments.values()) {
        mean.dispose()
        square.dispose()
      }
    },
  }
}
