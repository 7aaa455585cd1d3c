/**
 * Payment as the client sees it: which rows the tail's messages prove to be computed, what the next voucher says, and when it is due. It
 * counts as the stages do: every step that stage 1 began is computed by all of them, in turns that were cancelled too. Pure; knows neither
 * keys nor time. A tail that goes on after a cancel is paid no longer than the other stages do. Spec: docs/spec/market.md §9.2.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { createBudget } from './budget.ts'
import type { Counters } from './counters.ts'
import type { PaymentTerms } from './payment-meter.ts'
import { addRows, type StepRows, sameCounters, unitsIn, WINDOW_UNITS } from './payment-window.ts'
import { nextTranscript } from './transcript.ts'
import type { Voucher } from './voucher.ts'

export type Payment = Pick<Voucher, 'seq' | 'counters' | 'transcript'>

/** What the tail said: all rows before `position` are computed in this turn, and those of all tokens but the last. */
export interface Told {
  readonly turn: number
  readonly position: number
  /** Drawn for this position and those after it. */
  readonly tokens?: Iterable<number> | undefined
}

export interface PromptRows {
  readonly turn: number
  readonly position: number
  readonly tokens: readonly number[]
}

export interface Payer {
  /** Rows that are known to be computed, of the whole lease. */
  readonly seen: Counters
  /** That the latest voucher says. */
  readonly signed: Payment
  /** Whether the lease pays for all of this prompt. */
  affords(prompt: PromptRows): boolean
  /** A prompt was sent. */
  prompt(prompt: PromptRows): void
  /** Takes what the tail said; false when it is not what an honest ring can say: then nothing is paid for it. */
  told(told: Told): boolean
  /** Whether the cap forbids the next decode step of the latest turn. */
  readonly isSpent: boolean
  /** Whether a window's worth of work is seen and unpaid. */
  readonly isDue: boolean
  /** Whether any work is seen and unpaid. */
  readonly owes: boolean
  /** The voucher for all that was seen; counts as given from now on. Only when `owes`. */
  pay(): Payment
}

interface Turn {
  readonly number: number
  readonly start: number
  readonly promptEnd: number
  /** Of the turn's positions, the prompt's and those drawn. */
  readonly tokens: number[]
  /** Rows before this position are counted. */
  counted: number
}

/** Vouchers are due at a window, so that the stage has one more to go on with. */
const DUE_UNITS = WINDOW_UNITS

export function createPayer({ charge, cap, decodeRowUnits }: PaymentTerms, start: Payment): Payer {
  let signed = start
  let seen = start.counters
  /** Tokens of the rows that were seen since the voucher. */
  let window: number[] = []
  /** Turns of which something may still come, oldest first. */
  let turns: Turn[] = []

  const isWithinCap = createBudget({ charge, cap })
  const rowsOf = (turn: Turn, position: number): StepRows[] => {
    const promptRows = Math.min(position, turn.promptEnd) - turn.counted
    const from = Math.max(turn.counted, turn.promptEnd)
    const steps: StepRows[] = []
    if (promptRows > 0) steps.push({ kind: 'prompt', position: turn.counted, rows: promptRows })
    if (position > from) steps.push({ kind: 'decode', position: from, rows: position - from })
    return steps
  }

  const count = (turn: Turn, position: number): boolean => {
    const known = turn.start + turn.tokens.length
    // Rows of tokens that nobody has heard of, or fewer rows than before.
    if (position < turn.counted || position > known) return false
    const after = rowsOf(turn, position).reduce(addRows, seen)
    if (!isWithinCap(after, position)) return false
    window.push(...turn.tokens.slice(turn.counted - turn.start, position - turn.start))
    turn.counted = position
    seen = after
    return true
  }

  return {
    get seen() {
      return seen
    },
    get signed() {
      return signed
    },
    affords: ({ position, tokens }) =>
      isWithinCap(addRows(seen, { kind: 'prompt', position, rows: tokens.length }), position + tokens.length),
    prompt({ turn, position, tokens }) {
      assert(turn > (turns.at(-1)?.number ?? 0), 'turns follow each other')
      const promptEnd = position + tokens.length
      turns.push({
        number: turn,
        start: position,
        promptEnd,
        tokens: [...tokens],
        counted: position,
      })
    },
    told({ turn: number, position, tokens = [] }) {
      const turn = turns.find((one) => one.number === number)
      if (turn === undefined || !count(turn, position)) return false
      // Steps are computed in order: nothing older comes any more.
      turns = turns.filter((one) => one.number >= number)
      let next = position
      for (const token of tokens) {
        if (next !== turn.start + turn.tokens.length || !count(turn, next)) return false
        turn.tokens.push(token)
        next++
      }
      return true
    },
    get isSpent() {
      const turn = turns.at(-1)
      if (turn === undefined) return false
      const next = addRows(seen, { kind: 'decode', position: turn.counted, rows: 1 })
      return !isWithinCap(next, turn.counted + 1)
    },
    get isDue() {
      return unitsIn(seen, decodeRowUnits) - unitsIn(signed.counters, decodeRowUnits) >= DUE_UNITS
    },
    get owes() {
      return !sameCounters(signed.counters, seen)
    },
    pay() {
      assert(!sameCounters(signed.counters, seen), 'a voucher pays for something')
      const transcript: Hash = nextTranscript(signed.transcript, window)
      signed = { seq: signed.seq + 1n, counters: seen, transcript }
      window = []
      return signed
    },
  }
}
