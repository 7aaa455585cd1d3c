/**
 * The window of payment: how much work a stage does on trust, and what a step of a session is to payment. A window is 16 rows of decoding, more
 * where rows are worth little, or one chunk of a prompt, 256 rows; mixed work is measured in units, 256 to a window.
 * Spec: docs/spec/market.md §9.2.
 * @module
 */
import type { Counters } from './counters.ts'
import type { SegmentWork } from './work.ts'

const PROMPT_ROW_UNITS = 1n
/** Of a row of decoding, for 16, 32, 64 and 128 rows to a window. */
const DECODE_ROW_UNITS = [16n, 8n, 4n, 2n] as const
/** Multiply-accumulates of all lots that rows of decoding may take in a window of more than 16: as 16 rows of a model of 8·10⁹ weights. */
const WINDOW_MACS_MAX = 1n << 37n

export const WINDOW_UNITS = 256n
/** What may be unpaid: two windows. */
export const UNPAID_UNITS_MAX: bigint = 2n * WINDOW_UNITS

/** Rows that a session computes at once: a chunk of a prompt, or the one row of a decode step. */
export interface StepRows {
  readonly kind: 'prompt' | 'decode'
  /** Of the first row. */
  readonly position: number
  readonly rows: number
}

/** The counters with these rows. */
export function addRows(counters: Counters, { kind, position, rows }: StepRows): Counters {
  const count = BigInt(rows)
  const positions = count * BigInt(position) + (count * (count - 1n)) / 2n
  return kind === 'prompt'
    ? {
        ...counters,
        promptRows: counters.promptRows + count,
        promptPositions: counters.promptPositions + positions,
      }
    : {
        ...counters,
        decodeRows: counters.decodeRows + count,
        decodePositions: counters.decodePositions + positions,
      }
}

/**
 * Units of a row of decoding in a lease of these lots. What is done on trust is bounded by what it is worth: a voucher costs each stage a signature
 * to check and a synced write, which 16 rows of a small model are not worth.
 */
export function unitsOfDecodeRow(lots: readonly SegmentWork[]): bigint {
  const macs = lots.reduce((sum, { linear }) => sum + linear, 0n)
  return DECODE_ROW_UNITS.findLast((units) => (WINDOW_UNITS / units) * macs <= WINDOW_MACS_MAX) ?? DECODE_ROW_UNITS[0]
}

/** Units of all rows that were counted. */
export function unitsIn({ promptRows, decodeRows }: Counters, decodeRowUnits: bigint): bigint {
  return PROMPT_ROW_UNITS * promptRows + decodeRowUnits * decodeRows
}

export function sameCounters(a: Counters, b: Counters): boolean {
  return (
    a.promptRows === b.promptRows &&
    a.promptPositions === b.promptPositions &&
    a.decodeRows === b.decodeRows &&
    a.decodePositions === b.decodePositions
  )
}
