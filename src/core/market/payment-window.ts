/**
 * The window of payment: how much work a stage does on trust, and what a step of a session is to payment. A window is 16 rows of decoding or
 * one chunk of a prompt, 256 rows; mixed work is measured in units, 256 to a window. Spec: docs/spec/market.md §9.2.
 * @module
 */
import type { Counters } from './counters.ts'

const PROMPT_ROW_UNITS = 1n
const DECODE_ROW_UNITS = 16n

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

/** Units of the rows between two counters, of which `after` is not below `before`. */
export function unitsBetween(before: Counters, after: Counters): bigint {
  return unitsIn(after) - unitsIn(before)
}

/** Units of all rows that were counted. */
export function unitsIn({ promptRows, decodeRows }: Counters): bigint {
  return PROMPT_ROW_UNITS * promptRows + DECODE_ROW_UNITS * decodeRows
}

export function sameCounters(a: Counters, b: Counters): boolean {
  return (
    a.promptRows === b.promptRows &&
    a.promptPositions === b.promptPositions &&
    a.decodeRows === b.decodeRows &&
    a.decodePositions === b.decodePositions
  )
}
