/**
 * Steps of training: loss and gradients of a batch, and the move of the optimizer. Knows no files and no clock; of one process's
 * backend it takes what is active.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import type { Tensor, Variable } from '../engine/tfjs/tensorflow.ts'
import { type AdamWOptions, createAdamW } from './adamw.ts'
import type { TokenBatch } from './batch.ts'
import { modelLogits } from './forward.ts'
import type { Learner } from './learner.ts'
import { crossEntropy } from './loss.ts'

export interface StepReport {
  /** Before the step, nats per token. */
  readonly loss: number
  /** Of all gradients together, before clipping. */
  readonly gradientNorm: number
}

export interface Trainer {
  /** One step at a learning rate. */
  step(batch: TokenBatch, rate: number): Promise<StepReport>
  /** Nats per token, without learning. */
  loss(batch: TokenBatch): Promise<number>
  /** All that a checkpoint must hold: the variables and what the optimizer remembers of them, by name. */
  readonly state: ReadonlyMap<string, Variable>
  readonly steps: number
  /** Takes up a checkpoint: values for every name of `state`. */
  resume(values: ReadonlyMap<string, Float32Array>, steps: number): void
  /** Frees what the optimizer holds; the learner is the caller's. */
  dispose(): void
}

/** Loss and its gradient by every variable; the caller disposes them. */
export function lossAndGradients(
  learner: Learner,
  batch: TokenBatch,
): { loss: Tensor; gradients: ReadonlyMap<string, Tensor> } {
  const { ops, variables } = learner
  const { value, grads } = ops.tf.variableGrads(() => lossOf(learner, batch), [...variables.values()])
  return { loss: value, gradients: new Map([...variables].map(([name, variable]) => [name, grads[variable.name]!])) }
}

function lossOf(learner: Learner, batch: TokenBatch): ReturnType<Tensor['asScalar']> {
  const { ops, weights } = learner
  return ops.tf.tidy(() => crossEntropy(ops.tf, modelLogits(batch, weights, learner), batch.targets).asScalar())
}

export function createTrainer(learner: Learner, options?: AdamWOptions): Trainer {
  const { tf } = learner.ops
  const optimizer = createAdamW(tf, learner.variables, options)
  const state = new Map([...learner.variables, ...optimizer.state])
  return {
    state,
    get steps() {
      return optimizer.steps
    },
    async step(batch, rate) {
      const { loss, gradients } = lossAndGradients(learner, batch)
      const norm = optimizer.apply(gradients, rate)
      const [lossValues, normValues] = await Promise.all([loss.data(), norm.data()])
      for (const tensor of [loss, norm, ...gradients.values()]) tensor.dispose()
      return { loss: lossValues[0]!, gradientNorm: normValues[0]! }
    },
    async loss(batch) {
      const loss = lossOf(learner, batch)
      const values = await loss.data()
      loss.dispose()
      return values[0]!
    },
    resume(values, steps) {
      for (const [name, variable] of state) {
        tf.tidy(() => variable.assign(tf.tensor(values.get(name)!, variable.shape)))
      }
      optimizer.resume(steps)
    },
    dispose: () => optimizer.dispose(),
  }
}
