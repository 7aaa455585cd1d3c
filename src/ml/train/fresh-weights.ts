/**
 * Weights of a model that has learnt nothing: small random matrices, gains of one, biases of zero. A function of the seed and each
 * tensor's place, the same on every machine.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { uniformAt } from '../../base/prng.ts'
import type { ModelConfig } from '../config.ts'
import { EMBEDDING, HEAD, type WeightSource } from '../tensors.ts'
import { learningPlan } from './learner.ts'

/** Standard deviation of matrices, as GPT-2 and Llama begin. */
const DEVIATION = 0.02

/** f32. What adds to the residual stream begins smaller, by √(2·layers), so that the stream does not grow with depth. */
export function freshWeights(config: ModelConfig, seed: bigint): WeightSource {
  const plan = learningPlan(config)
  const find = (name: string) => {
    const wanted = name === HEAD && config.tiedHead ? EMBEDDING : name
    const index = plan.findIndex((tensor) => tensor.name === wanted)
    assert(index >= 0, `the model has ${name}`)
    return { index, ...plan[index]! }
  }
  return {
    vector: (name) => new Float32Array(find(name).rows).fill(/Norm$/.test(name) ? 1 : 0),
    matrix: (name) => {
      const { index, rows, columns } = find(name)
      const isResidual = name.endsWith('.down') || name.endsWith('.attentionOutput')
      // Of a uniform distribution ±b the deviation is b/√3.
      const bound = (DEVIATION * Math.sqrt(3)) / (isResidual ? Math.sqrt(2 * config.layerCount) : 1)
      const values = Float32Array.from({ length: rows * columns }, (_unused, at) => {
        return (2 * uniformAt(seed, BigInt(index * 2 ** 40 + at)) - 1) * bound
      })
      return { format: 'f32', rows, columns, values }
    },
  }
}
