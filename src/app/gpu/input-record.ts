/**
 * What one session has put into its cache so far: enough to fill another engine's cache with the same bits. Knows no engine.
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { StepInput } from '../../ml/engine/engine.ts'

type Input = StepInput['input']

/** Consecutive rows from a position. */
export interface InputPiece {
  readonly position: number
  readonly input: Input
}

export interface InputRecord {
  /** Rows that were computed; what lay further is forgotten. At most at the end of what is there. */
  note(piece: InputPiece): void
  /** All of it, or the first so many rows, in pieces that fit a batch; copies. */
  pieces(count?: number): InputPiece[]
}

/** Positions for which room is made at first; then twice as many each time. */
const FIRST_POSITIONS = 64

/** `capacity`: positions of the cache. */
export function createInputRecord(capacity: number, hiddenSize: number): InputRecord {
  let rows: Int32Array | Float32Array | undefined
  let length = 0
  const widthOf = (values: Int32Array | Float32Array): number => (values instanceof Int32Array ? 1 : hiddenSize)

  const roomFor = (values: Int32Array | Float32Array, positions: number): Int32Array | Float32Array => {
    const width = widthOf(values)
    if (rows !== undefined && rows.length >= positions * width) return rows
    const wanted = Math.min(capacity, Math.max(positions, FIRST_POSITIONS, 2 * length)) * width
    const wider = values instanceof Int32Array ? new Int32Array(wanted) : new Float32Array(wanted)
    if (rows !== undefined) wider.set(rows.subarray(0, length * width))
    return wider
  }

  return {
    note({ position, input }) {
      const values = input.type === 'tokens' ? input.tokens : input.values
      const width = widthOf(values)
      const end = position + values.length / width
      assert(position <= length && end <= capacity, 'rows follow those that are there, within the cache')
      rows = roomFor(values, end)
      assert(widthOf(rows) === width, 'a session has tokens or activations for input, never both')
      rows.set(values, position * width)
      length = end
    },
    pieces(count = length) {
      const pieces: InputPiece[] = []
      const step = SESSION_LIMITS.batchRowsMax
      for (let position = 0; rows !== undefined && position < count; position += step) {
        const end = Math.min(position + step, count)
        const input: Input =
          rows instanceof Int32Array
            ? { type: 'tokens', tokens: rows.slice(position, end) }
            : { type: 'hidden', values: rows.slice(position * hiddenSize, end * hiddenSize) }
        pieces.push({ position, input })
      }
      return pieces
    },
  }
}
