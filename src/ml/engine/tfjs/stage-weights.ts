/**
 * The weights of one stage on a TF.js backend: all of them, or none where one does not fit.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import { AssertionError, assert } from '../../../base/assert.ts'
import { HouseError, messageOf } from '../../../base/error.ts'
import { EMBEDDING, type Matrix, tensorPlan } from '../../tensors.ts'
import { EngineError, type StageOptions } from '../engine.ts'
import { type DeviceMatrix, loadMatrix } from './device-matrix.ts'
import { switchBackend, type Tensor, type Tensorflow } from './tensorflow.ts'

export interface StageWeights {
  readonly bytes: number
  matrix(name: string): DeviceMatrix
  vector(name: string): Tensor
  /** On this side, where the stage begins with it. */
  readonly embedding: Matrix | undefined
  dispose(): void
}

export interface WeightsSeat {
  readonly tf: Tensorflow
  readonly backend: string
  readonly tensorBytesMax: number
}

/** @throws EngineError ENGINE_OUT_OF_MEMORY, and what the source throws; neither leaves tensors behind. */
export function loadStageWeights(options: Omit<StageOptions, 'cacheBytesMax'>, seat: WeightsSeat): StageWeights {
  const { config, range, weights } = options
  const { tf, backend, tensorBytesMax } = seat
  const matrices = new Map<string, DeviceMatrix>()
  const vectors = new Map<string, Tensor>()
  const dispose = (): void => {
    for (const one of [...matrices.values(), ...vectors.values()]) one.dispose()
    matrices.clear()
    vectors.clear()
  }
  switchBackend(tf, backend)
  try {
    for (const { name, kind } of tensorPlan(config, range)) {
      if (kind === 'vector') vectors.set(name, tf.keep(tf.tensor(weights.vector(name))))
      else if (name !== EMBEDDING) matrices.set(name, loadMatrix(tf, weights.matrix(name), tensorBytesMax))
    }
  } catch (error) {
    dispose()
    if (error instanceof HouseError || error instanceof AssertionError) throw error
    const message = `TF.js has no room for these segments on its backend ${backend}: ${messageOf(error)}. Serve fewer.`
    throw new EngineError('ENGINE_OUT_OF_MEMORY', message, { details: { backend }, cause: error })
  }
  const sizes = [...vectors.values()].map((vector) => vector.size * Float32Array.BYTES_PER_ELEMENT)
  return {
    bytes: [...sizes, ...[...matrices.values()].map((matrix) => matrix.bytes)].reduce((sum, size) => sum + size, 0),
    matrix: (name) => found(matrices.get(name), name),
    vector: (name) => found(vectors.get(name), name),
    embedding: range.hasEmbedding ? weights.matrix(EMBEDDING) : undefined,
    dispose,
  }
}

function found<One>(one: One | undefined, name: string): One {
  assert(one !== undefined, `the stage is open and has ${name}`)
  return one
}
