/**
 * Payment as a stage sees it: which steps it has begun and done since the last voucher, which voucher it may take, and whether it may do
 * another step on trust. Pure; knows neither signatures nor time. The client's view is payer.ts. Spec: docs/spec/market.md §9.2.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { createBudget } from './budget.ts'
import { type Counters, recede } from './counters.ts'
import { addRows, type StepRows, sameCounters, UNPAID_UNITS_MAX, unitsIn } from './payment-window.ts'

export type VoucherFault =
  /** Its number is not above the one that was taken. */
  | 'VOUCHER_REPLAYED'
  | 'VOUCHER_RECEDES'
  /** It pays for nothing new. */
  | 'VOUCHER_EMPTY'
  /** It pays for what was not computed here yet. */
  | 'VOUCHER_TOO_EARLY'
  /** It ends within a step, or gives rows other positions than they had. */
  | 'VOUCHER_MISCOUNTED'
  | 'VOUCHER_ABOVE_CAP'

/** `unpaid`: not before a voucher comes. `cap`: the lease cannot pay for it, ever. */
export type Admission = 'yes' | 'unpaid' | 'cap'

export interface Claimed {
  readonly seq: bigint
  readonly counters: Counters
}

export interface PaymentTerms {
  /** Grains that a lease with these counters costs. */
  readonly charge: (counters: Counters) => bigint
  /** Grains that it may cost, at most. */
  readonly cap: bigint
  /** See unitsOfDecodeRow. */
  readonly decodeRowUnits: bigint
}

export interface PaymentMeter {
  /** What was begun so far, of the whole lease. */
  readonly begun: Counters
  readonly paid: Claimed
  /** Whether a step may begin now. */
  admits(step: StepRows): Admission
  /** Begins a step, which must be admitted; gives the counters after it. */
  begin(step: StepRows): Counters
  /** The oldest step that was begun and not done is done. */
  done(): void
  /** The newest so many steps, all done, were on trial and count for nothing. */
  forget(count: number): void
  fault(voucher: Claimed): VoucherFault | undefined
  /** Takes a voucher without fault; gives how many steps it pays for, the oldest ones. */
  accept(voucher: Claimed): number
  /** The session is over: what is unpaid, but for the newest `onTrial` steps, stays a debt, half of which counts as unpaid from now on. */
  writeOff(onTrial: number): void
}

/** Of what was paid, so much of what sessions left unpaid when they broke is forgiven: a sixteenth. */
const FORGIVEN_SHIFT = 4n

/** A meter of a lease of which `paid` was paid and nothing else was computed. */
export function createPaymentMeter({ charge, cap, decodeRowUnits }: PaymentTerms, start: Claimed): PaymentMeter {
  let paid = start
  /** Counters after each step since the voucher: at most two windows of rows. */
  let steps: Counters[] = []
  /** Of these steps, from the oldest. */
  let doneCount = 0
  let debt = 0n
  const isWithinCap = createBudget({ charge, cap })

  const begun = (): Counters => steps.at(-1) ?? paid.counters
  const units = (counters: Counters): bigint => unitsIn(counters, decodeRowUnits)
  const owed = (): bigint => {
    const left = debt - (units(paid.counters) >> FORGIVEN_SHIFT)
    return left > 0n ? left : 0n
  }
  const admits = (step: StepRows): Admission => {
    const after = addRows(begun(), step)
    if (!isWithinCap(after, step.position + step.rows)) return 'cap'
    // Half: who was cut off can go on, and who opens sessions without paying gets less each time, four windows in all.
    const unpaid = units(after) - units(paid.counters) + owed() / 2n
    return unpaid <= UNPAID_UNITS_MAX ? 'yes' : 'unpaid'
  }

  return {
    get begun() {
      return begun()
    },
    get paid() {
      return paid
    },
    admits,
    begin(step) {
      const after = addRows(begun(), step)
      steps.push(after)
      return after
    },
    done() {
      assert(doneCount < steps.length, 'a step was begun')
      doneCount++
    },
    forget(count) {
      assert(count <= doneCount && doneCount === steps.length, 'what is forgotten was done, and is not paid')
      steps = steps.slice(0, steps.length - count)
      doneCount -= count
    },
    fault({ seq, counters }) {
      if (seq <= paid.seq) return 'VOUCHER_REPLAYED'
      if (recede(paid.counters, counters)) return 'VOUCHER_RECEDES'
      if (sameCounters(paid.counters, counters)) return 'VOUCHER_EMPTY'
      if (charge(counters) > cap) return 'VOUCHER_ABOVE_CAP'
      const index = steps.findIndex((after) => sameCounters(after, counters))
      if (index >= 0 && index < doneCount) return undefined
      const lastDone = steps[doneCount - 1] ?? paid.counters
      return index >= 0 || recede(counters, lastDone) ? 'VOUCHER_TOO_EARLY' : 'VOUCHER_MISCOUNTED'
    },
    accept({ seq, counters }) {
      const count = steps.findIndex((after) => sameCounters(after, counters)) + 1
      assert(count > 0 && count <= doneCount, 'the voucher pays for whole steps')
      steps = steps.slice(count)
      doneCount -= count
      paid = { seq, counters }
      return count
    },
    writeOff(onTrial) {
      debt += units(steps.at(-1 - onTrial) ?? paid.counters) - units(paid.counters)
      steps = []
      doneCount = 0
    },
  }
}
