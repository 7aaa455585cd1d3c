/**
 * What a stage remembers of one cache: for each position from 0 on what went in, what came out, and how long it took. Always a true account of what the
 * cache holds; it may be shorter. Numbers are exact, so whoever puts in the same gets the same out. Pure.
 * Spec: docs/spec/wire.md §4.10.
 * @module
 */
import { assert } from '../../base/assert.ts'

export interface PrefixMemory {
  /** Positions that are remembered. */
  readonly rows: number
  /** It has pieces in the room for outputs. */
  readonly hasOutputs: boolean
  /** What went in at the first so many positions: a view. */
  keys(rows: number): Int32Array
  /** How many rows of `keys` went in at `position` and those after it. */
  matching(position: number, keys: Int32Array): number
  /** Forgets the positions from this one on. */
  cut(position: number): void
  /** The cache has computed rows at `position`, and holds nothing behind them. */
  note(position: number, computed: ComputedRows): void
  /** What came out of some rows, all of them remembered: (rows, hidden), a copy; undefined at the tail. */
  recall(position: number, rows: number): Float32Array | undefined
  /** What such rows took when they were computed. */
  computeMs(position: number, rows: number): number
  /** Another one, of a cache that has taken over the first `rows` positions; at most so many. */
  share(rows: number): PrefixMemory
}

export interface ComputedRows {
  /** Words that stand for what went in: `keyWords` for each row. */
  readonly keys: Int32Array
  /** (rows, hidden); it belongs to the memory now, and changes no more. Not at the tail. */
  readonly values: Float32Array | undefined
  readonly computeMs: number
}

export interface MemoryShape {
  /** 1: tokens. */
  readonly keyWords: number
  /** Values of a row that comes out; 0 at the tail, of which nothing is remembered. */
  readonly width: number
}

/** Rows that came out together; memories of caches that share positions have the same. */
export interface OutputPiece {
  readonly start: number
  readonly values: Float32Array
  /** Memories that have it. */
  users: number
}

/** Where pieces of all memories of a miner are counted. */
export interface OutputRoom {
  /** One more memory has this piece; false: there is no room for it. */
  hold(piece: OutputPiece): boolean
  release(piece: OutputPiece): void
}

interface Held {
  readonly keys: Int32Array
  readonly times: readonly number[]
  readonly pieces: readonly OutputPiece[]
}

const FIRST_ROWS = 64

export function createPrefixMemory(shape: MemoryShape, room: OutputRoom): PrefixMemory {
  return memoryOf(shape, room, { keys: new Int32Array(0), times: [], pieces: [] })
}

/** `held`: its keys are copied, its pieces are held already; the last one may be too long. */
function memoryOf(shape: MemoryShape, room: OutputRoom, held: Held): PrefixMemory {
  const { keyWords, width } = shape
  let keys = held.keys.slice()
  /** Milliseconds of each row; as many as there are rows. */
  const times = [...held.times]
  const pieces = [...held.pieces]

  /** Keeps of the last piece what lies before the end. */
  const trim = (): void => {
    const last = pieces.at(-1)
    if (last === undefined) return
    const left = (times.length - last.start) * width
    if (left >= last.values.length) return
    pieces.pop()
    // A copy: a few rows must not keep the memory of many.
    const part: OutputPiece = { start: last.start, values: last.values.slice(0, left), users: 0 }
    room.release(last)
    if (room.hold(part)) pieces.push(part)
    else times.length = part.start
  }
  trim()
  const cut = (position: number): void => {
    if (position >= times.length) return
    times.length = position
    while (pieces.length > 0 && pieces.at(-1)!.start >= position) room.release(pieces.pop()!)
    trim()
  }
  const writeKeys = (position: number, added: Int32Array): void => {
    const start = position * keyWords
    const needed = start + added.length
    if (keys.length < needed) {
      const wider = new Int32Array(Math.max(needed, 2 * keys.length, FIRST_ROWS * keyWords))
      wider.set(keys.subarray(0, start))
      keys = wider
    }
    keys.set(added, start)
  }
  const keep = (start: number, values: Float32Array): boolean => {
    const isOwn = values.byteLength === values.buffer.byteLength
    const piece: OutputPiece = { start, values: isOwn ? values : values.slice(), users: 0 }
    if (!room.hold(piece)) return false
    pieces.push(piece)
    return true
  }

  return {
    get rows() {
      return times.length
    },
    get hasOutputs() {
      return pieces.length > 0
    },
    keys: (rows) => keys.subarray(0, rows * keyWords),
    matching(position, wanted) {
      const start = position * keyWords
      const most = Math.min(wanted.length, (times.length - position) * keyWords)
      let same = 0
      while (same < most && keys[start + same] === wanted[same]) same++
      return Math.max(0, Math.floor(same / keyWords))
    },
    cut,
    note(position, computed) {
      // What lies before it was not remembered: nothing can begin there.
      if (position > times.length) return
      cut(position)
      if (position > times.length || (computed.values && !keep(position, computed.values))) return
      const rows = computed.keys.length / keyWords
      writeKeys(position, computed.keys)
      for (let row = 0; row < rows; row++) times.push(computed.computeMs / rows)
    },
    recall(position, rows) {
      const end = position + rows
      assert(position >= 0 && rows > 0 && end <= times.length, 'what is recalled is remembered')
      if (width === 0) return undefined
      const values = new Float32Array(rows * width)
      for (const piece of pieces) {
        const from = Math.max(0, position - piece.start) * width
        const to = Math.min(piece.values.length, (end - piece.start) * width)
        if (to > from) values.set(piece.values.subarray(from, to), (piece.start - position) * width + from)
      }
      return values
    },
    computeMs: (position, rows) => times.slice(position, position + rows).reduce((sum, ms) => sum + ms, 0),
    share(rows) {
      const most = Math.min(rows, times.length)
      const first = pieces.filter(({ start }) => start < most)
      // Somebody has them, so there is room.
      for (const piece of first) room.hold(piece)
      return memoryOf(shape, room, {
        keys: keys.subarray(0, most * keyWords),
        times: times.slice(0, most),
        pieces: first,
      })
    },
  }
}
