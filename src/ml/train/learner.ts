/**
 * A model that learns: which of its tensors are variables, and how its weights come out again. Two forms: all parameters
 * (`fullLearner`), and low-rank additions to frozen matrices (lora.ts).
 * Spec: docs/spec/float.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig } from '../config.ts'
import { dequantizeRows, dequantizeTransposed } from '../dequantize.ts'
import type { ModelOps } from '../engine/tfjs/model-ops.ts'
import type { Tensor, Tensorflow, Variable } from '../engine/tfjs/tensorflow.ts'
import {
  EMBEDDING,
  HEAD,
  layerTensor,
  OUTPUT_NORM,
  type TensorPlan,
  tensorPlan,
  type WeightSource,
} from '../tensors.ts'
import type { ModelWeights } from './forward.ts'

export interface Learner {
  readonly ops: ModelOps
  readonly config: ModelConfig
  readonly weights: ModelWeights
  /** What learns, by name, in a fixed order. Matrices lie with the fan-in first; of vectors no weight decay is asked. */
  readonly variables: ReadonlyMap<string, Variable>
  /** The model as it is now, f32, in the layout of every other model. */
  weightSource(): Promise<WeightSource>
  dispose(): void
}

export interface LearnerOptions {
  readonly ops: ModelOps
  readonly config: ModelConfig
  /** What to begin with. */
  readonly weights: WeightSource
}

/** Tensors of the model that exist once: a tied head is the embedding. */
export function learningPlan(config: ModelConfig): TensorPlan[] {
  const range = { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: true }
  return tensorPlan(config, range).filter(({ name }) => name !== HEAD || !config.tiedHead)
}

/** One tensor on the active backend: vectors and the embedding as they are, matrices transposed. */
export function weightTensor(tf: Tensorflow, plan: TensorPlan, weights: WeightSource): Tensor {
  if (plan.kind === 'vector') return tf.tensor(weights.vector(plan.name))
  const matrix = weights.matrix(plan.name)
  if (plan.name === EMBEDDING) return tf.tensor(dequantizeRows(matrix), [plan.rows, plan.columns])
  return tf.tensor(dequantizeTransposed(matrix), [plan.columns, plan.rows])
}

/** Values of such a tensor as (rows, columns). */
export function asStored(values: Float32Array, { name, kind, rows, columns }: TensorPlan): Float32Array {
  if (kind === 'vector' || name === EMBEDDING) return values
  const stored = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k++) stored[row * columns + k] = values[k * rows + row]!
  }
  return stored
}

/** Every parameter learns. */
export function fullLearner({ ops, config, weights }: LearnerOptions): Learner {
  const { tf } = ops
  const plan = learningPlan(config)
  const variables = new Map(
    plan.map((tensor) => [tensor.name, tf.tidy(() => tf.variable(weightTensor(tf, tensor, weights)))]),
  )
  const of = (name: string): Variable => {
    const variable = variables.get(name)
    assert(variable !== undefined, `the model has ${name}`)
    return variable
  }
  return {
    ...{ ops, config, variables },
    weights: {
      embed: (ids) => ops.embed(ids, of(EMBEDDING)),
      layer: (index) => ({
        product: (part, x) => ops.linear(x, of(layerTensor(index, part))),
        vector: (part) => of(layerTensor(index, part)),
      }),
      outputNorm: of(OUTPUT_NORM),
      head: (x) => ops.linear(x, config.tiedHead ? tf.transpose(of(EMBEDDING)) : of(HEAD)),
    },
    weightSource: async () => storedSource(plan, async ({ name }) => of(name).data<'float32'>(), config),
    dispose: () => {
      for (const variable of variables.values()) variable.dispose()
    },
  }
}

/** Weights read back from the device, all at once. */
export async function storedSource(
  plan: readonly TensorPlan[],
  read: (tensor: TensorPlan) => Promise<Float32Array>,
  { tiedHead }: Pick<ModelConfig, 'tiedHead'>,
): Promise<WeightSource> {
  const stored = new Map<string, Float32Array>()
  for (const tensor of plan) stored.set(tensor.name, asStored(await read(tensor), tensor))
  const find = (name: string) => {
    const wanted = name === HEAD && tiedHead ? EMBEDDING : name
    const shape = plan.find((tensor) => tensor.name === wanted)
    assert(shape !== undefined, `the model has ${name}`)
    return { shape, values: stored.get(wanted)! }
  }
  return {
    vector: (name) => find(name).values,
    matrix: (name) => {
      const { shape, values } = find(name)
      return { format: 'f32', rows: shape.rows, columns: shape.columns, values }
    },
  }
}
