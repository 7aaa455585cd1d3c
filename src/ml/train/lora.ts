/**
 * Low-rank adaptation (Hu et al., arXiv 2106.09685): the matrices stay as they are, and each of those chosen gets an addition
 * (α/r)·A·B that learns, with A (in, r) and B (r, out). B begins at zero, so that the model begins as it was.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { uniformAt } from '../../base/prng.ts'
import type { Tensor, Variable } from '../engine/tfjs/tensorflow.ts'
import { EMBEDDING, HEAD, type LayerPart, layerTensor, OUTPUT_NORM } from '../tensors.ts'
import { type Learner, type LearnerOptions, learningPlan, storedSource, weightTensor } from './learner.ts'

export interface LoraOptions extends LearnerOptions {
  readonly rank: number
  /** α: the addition counts α/rank. */
  readonly alpha: number
  /** Matrices of every layer that get an addition. */
  readonly parts: readonly LayerPart[]
  readonly seed: bigint
}

export function loraLearner(options: LoraOptions): Learner {
  const { ops, config, weights, rank, alpha, parts, seed } = options
  const { tf } = ops
  const plan = learningPlan(config)
  const frozen = new Map(plan.map((tensor) => [tensor.name, tf.keep(weightTensor(tf, tensor, weights))]))
  const variables = new Map<string, Variable>()
  for (const { name, rows, columns } of plan) {
    if (!parts.some((part) => name.endsWith(`.${part}`))) continue
    const draws = { seed, first: variables.size * 2 ** 32 }
    variables.set(
      `${name}.a`,
      tf.tidy(() => tf.variable(tf.tensor(uniform(columns * rank, columns, draws), [columns, rank]))),
    )
    variables.set(
      `${name}.b`,
      tf.tidy(() => tf.variable(tf.zeros([rank, rows]))),
    )
  }
  const of = (name: string): Tensor => {
    const tensor = frozen.get(name)
    assert(tensor !== undefined, `the model has ${name}`)
    return tensor
  }
  /** The addition to a matrix, or undefined. */
  const addition = (name: string): { a: Variable; b: Variable } | undefined => {
    const [a, b] = [variables.get(`${name}.a`), variables.get(`${name}.b`)]
    return a === undefined || b === undefined ? undefined : { a, b }
  }
  const product = (name: string, x: Tensor): Tensor => {
    const base = ops.frozenLinear(x, of(name))
    const added = addition(name)
    if (added === undefined) return base
    return tf.add(base, tf.mul(ops.linear(ops.linear(x, added.a), added.b), alpha / rank))
  }
  const merged = async (name: string): Promise<Float32Array> => {
    const whole = tf.tidy(() => {
      const added = addition(name)
      return added === undefined
        ? of(name).clone()
        : tf.add(of(name), tf.mul(tf.matMul(added.a, added.b), alpha / rank))
    })
    const values = await whole.data<'float32'>()
    whole.dispose()
    return values
  }
  return {
    ...{ ops, config, variables },
    weights: {
      embed: (ids) => tf.gather(of(EMBEDDING), ids),
      layer: (index) => ({
        product: (part, x) => product(layerTensor(index, part), x),
        vector: (part) => of(layerTensor(index, part)),
      }),
      outputNorm: of(OUTPUT_NORM),
      head: (x) => ops.frozenLinear(x, config.tiedHead ? tf.transpose(of(EMBEDDING)) : of(HEAD)),
    },
    weightSource: async () => storedSource(plan, ({ name }) => merged(name), config),
    dispose: () => {
      for (const tensor of [...frozen.values(), ...variables.values()]) tensor.dispose()
    },
  }
}

/** Uniform in ±1/√fanIn. */
function uniform(count: number, fanIn: number, { seed, first }: { seed: bigint; first: number }): Float32Array {
  const bound = 1 / Math.sqrt(fanIn)
  return Float32Array.from({ length: count }, (_unused, at) => (2 * uniformAt(seed, BigInt(first + at)) - 1) * bound)
}
