/**
 * What one piece of a step needs to know of its positions, as small tensors: rotations, who sees whom, and where new keys go.
 * Shapes repeat from step to step, because backends keep one pool of buffers for each size.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import type { ModelConfig } from '../../config.ts'
import type { RopeTables } from '../../rope.ts'
import { MASKED } from './model-ops.ts'
import type { Tensor, Tensorflow } from './tensorflow.ts'

/** Positions by which a cache's tensors grow. */
const BLOCK = 64
/** Rows computed at once at the most: attention is rows × positions. */
const PIECE_ROWS_MAX = 64

export interface Piece {
  /** Absolute position of its first row. */
  readonly position: number
  readonly rows: number
  /** Positions that the cache's tensors have. */
  readonly positions: number
}

export interface PieceTensors {
  readonly rope: { readonly cos: Tensor; readonly sin: Tensor } // (rows, h/2)
  readonly mask: Tensor // (rows, positions)
  /** Row of the piece that a position takes its keys from, where it takes any. */
  readonly source: Tensor // (positions)
  /** 1 where a position keeps what it had, else 0; and the reverse. */
  readonly kept: Tensor // (positions, 1)
  readonly fresh: Tensor // (positions, 1)
}

/** A step's rows in pieces whose sizes are powers of two. */
export function piecesOf(position: number, rows: number): Piece[] {
  const pieces: Piece[] = []
  for (let done = 0; done < rows; ) {
    const size = Math.min(PIECE_ROWS_MAX, 2 ** Math.floor(Math.log2(rows - done)))
    const end = position + done + size
    pieces.push({ position: position + done, rows: size, positions: Math.ceil(end / BLOCK) * BLOCK })
    done += size
  }
  return pieces
}

export function pieceTensors(
  tf: Tensorflow,
  piece: Piece,
  { config, tables }: { config: ModelConfig; tables: RopeTables },
): PieceTensors {
  const { position, rows, positions } = piece
  const half = config.headSize / 2
  const of = (table: Float32Array) =>
    tf.tensor(table.slice(position * half, (position + rows) * half), [rows, half], 'float32')
  const isFresh = (at: number): boolean => at >= position && at < position + rows
  const list = (value: (at: number) => number) => Array.from({ length: positions }, (_unused, at) => value(at))
  return {
    rope: { cos: of(tables.cos), sin: of(tables.sin) },
    mask: tf.tensor(maskOf(piece, config.slidingWindow), [rows, positions]),
    source: tf.tensor(
      list((at) => (isFresh(at) ? at - position : 0)),
      [positions],
      'int32',
    ),
    kept: tf.tensor(
      list((at) => (isFresh(at) ? 0 : 1)),
      [positions, 1],
      'float32',
    ),
    fresh: tf.tensor(
      list((at) => (isFresh(at) ? 1 : 0)),
      [positions, 1],
      'float32',
    ),
  }
}

/** (rows, positions): row i sees positions up to its own, as many as the window has. */
function maskOf({ position, rows, positions }: Piece, window = Number.POSITIVE_INFINITY): Float32Array {
  const mask = new Float32Array(rows * positions).fill(MASKED)
  for (let row = 0; row < rows; row++) {
    const last = position + row
    mask.fill(0, row * positions + Math.max(0, last - window + 1), row * positions + last + 1)
  }
  return mask
}
