/**
 * Weight matrices that do not change, on a TF.js backend: dequantised where the backend has no kernel for their format, packed
 * where it has (packed-kernels.ts). Cut into parts, because a device binds no more than so many bytes at once.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import { GROUP_SIZE, paddedColumns } from '../../config.ts'
import { dequantizeTransposed } from '../../dequantize.ts'
import type { Matrix } from '../../tensors.ts'
import { packedKernelName } from './packed-kernels.ts'
import type { Tensor, Tensorflow } from './tensorflow.ts'

export interface DeviceMatrix {
  readonly bytes: number
  /** x·Wᵀ, (rows, in) to (rows, out). */
  product(x: Tensor): Tensor
  dispose(): void
}

interface Part {
  readonly tensors: readonly Tensor[]
  product(x: Tensor): Tensor
}

/** Half-open range of a matrix's rows, which are its outputs. */
type Rows = readonly [first: number, last: number]

/** The active backend's form of a matrix; no tensor of it is over `tensorBytesMax`. Lives until `dispose`. */
export function loadMatrix(tf: Tensorflow, matrix: Matrix, tensorBytesMax: number): DeviceMatrix {
  const isPacked = packedKernelName(tf, matrix.format) !== undefined
  const rowsMax = Math.max(1, Math.floor(tensorBytesMax / rowBytes(matrix, isPacked)))
  const parts: Part[] = []
  for (let first = 0; first < matrix.rows; first += rowsMax) {
    const rows: Rows = [first, Math.min(matrix.rows, first + rowsMax)]
    parts.push(isPacked ? packedPart(tf, matrix, rows) : densePart(tf, matrix, rows))
  }
  return {
    bytes: parts.flatMap((part) => part.tensors).reduce((sum, tensor) => sum + tensor.size * 4, 0),
    product: (x) => {
      const outputs = parts.map((part) => part.product(x))
      return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 1)
    },
    dispose: () => {
      for (const part of parts) for (const tensor of part.tensors) tensor.dispose()
    },
  }
}

/** Of the largest tensor, per row. */
function rowBytes(matrix: Matrix, isPacked: boolean): number {
  if (!isPacked) return matrix.columns * Float32Array.BYTES_PER_ELEMENT
  return matrix.format === 'q8' ? paddedColumns(matrix.columns) : paddedColumns(matrix.columns) / 2
}

function densePart(tf: Tensorflow, matrix: Matrix, [first, last]: Rows): Part {
  const values = tf.keep(tf.tensor(dequantizeTransposed(matrix, first, last), [matrix.columns, last - first]))
  return { tensors: [values], product: (x) => tf.matMul(x, values) }
}

function packedPart(tf: Tensorflow, matrix: Matrix, [first, last]: Rows): Part {
  const rows = last - first
  const { integers, steps } = packed(matrix, [first, last])
  const words = tf.keep(tf.tensor(integers, [rows, integers.length / rows], 'int32'))
  const scales = tf.keep(tf.tensor(steps, [rows, steps.length / rows]))
  const name = packedKernelName(tf, matrix.format)!
  return { tensors: [words, scales], product: (x) => tf.engine().runKernel(name, { x, words, scales }) as Tensor }
}

/** Words of four bytes as they lie in memory. q8: one scale for each row; q4: multiplier·scale for each group. */
function packed(matrix: Matrix, [first, last]: Rows): { integers: Int32Array; steps: Float32Array } {
  const width = paddedColumns(matrix.columns)
  const view = (bytes: Uint8Array | Int8Array, perRow: number): Int32Array =>
    new Int32Array(bytes.slice(first * perRow, last * perRow).buffer)
  if (matrix.format === 'q8') {
    return { integers: view(matrix.values, width), steps: matrix.scales.slice(first, last) }
  }
  assert(matrix.format === 'q4', 'f32 has no packed form')
  const groups = width / GROUP_SIZE
  const steps = Float32Array.from({ length: (last - first) * groups }, (_unused, at) => {
    const group = first * groups + at
    return matrix.multipliers[group]! * matrix.scales[Math.floor(group / groups)]!
  })
  return { integers: view(matrix.nibbles, width / 2), steps }
}
