/**
 * Weights of a model in the files of somebody else, read in blocks of rows, and what readers of such files share.
 * Spec: docs/spec/model.md §2, §10.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { ModelConfig } from '../../ml/config.ts'
import { firstNotFinite } from '../../ml/float-formats.ts'
import { ModelError } from '../../ml/model-error.ts'
import type { TensorPlan } from '../../ml/tensors.ts'
import { asReadError } from '../file-errors.ts'

export interface RowBlock {
  readonly firstRow: number
  readonly rows: number
}

/** Nothing is read but headers until rows are asked for. */
export interface SourceWeights {
  /** Checks that the planned tensors, and no others, are there in the right shape and type. */
  check(config: ModelConfig, plan: readonly TensorPlan[]): void
  /** Bytes of the tensor's data in the files. */
  bytesOf(config: ModelConfig, plan: TensorPlan): number
  /** Rows [firstRow, firstRow + rows) as f32 (rows, columns). Throws WEIGHTS_NOT_FINITE. */
  readRows(config: ModelConfig, plan: TensorPlan, block: RowBlock): Promise<Float32Array>
  close(): Promise<void>
}

/** Throws MODEL_UNREADABLE. */
export async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    throw asReadError(error, path)
  }
}

/** `length` bytes from `position`. Throws WEIGHTS_TRUNCATED where the file has fewer. */
export async function bytesAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done)
    if (bytesRead === 0) throw new ModelError('WEIGHTS_TRUNCATED', 'A weight file became shorter while it was read.')
    done += bytesRead
  }
  return bytes
}

/** Throws WEIGHTS_NOT_FINITE for a value of tensor `name` that is none; `values` are rows of the plan from `firstRow` on. */
export function checkFinite(name: string, values: Float32Array, { columns }: TensorPlan, firstRow: number): void {
  const index = firstNotFinite(values)
  if (index < 0) return
  const row = firstRow + Math.floor(index / columns)
  throw new ModelError(
    'WEIGHTS_NOT_FINITE',
    `Tensor ${name} has a NaN or an infinity in row ${row}. Download the weights again.`,
    { details: { tensor: name, row } },
  )
}

/** For a tensor that the plan asks for and no file has. */
export function missingTensor(name: string): ModelError {
  return new ModelError(
    'WEIGHTS_MISSING_TENSOR',
    `The weights do not hold ${name}. Check that every file of the model was downloaded and that its config belongs to them.`,
    { details: { tensor: name } },
  )
}

/** For a tensor of the files that the plan does not ask for. */
export function unknownTensor(name: string): ModelError {
  return new ModelError(
    'WEIGHTS_UNKNOWN_TENSOR',
    `The weights hold ${name}, which this architecture does not have; leaving it out would give other answers. ` +
      'Check that the config belongs to these weights.',
    { details: { tensor: name } },
  )
}
