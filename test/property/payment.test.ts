/**
 * The payer of a lease and the meters of its stages, over any interleaving of what travels between them: tokens come late, vouchers come
 * late, turns are cancelled and overtaken, and some rows of decoding are drafts that turn out wrong.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBudget } from '../../src/core/market/budget.ts'
import { ZERO_COUNTERS } from '../../src/core/market/counters.ts'
import { addRows } from '../../src/core/market/payment-window.ts'
import {
  cancel,
  check,
  compute,
  createModel,
  happen,
  hearTail,
  pay,
  STAGES,
  takeOrder,
  takeVoucher,
  terms,
} from './payment-world.ts'

const moves = fc.array(fc.tuple(fc.nat({ max: 999 }), fc.nat({ max: 999 })), { minLength: 50, maxLength: 400 })

/** The last step has a draft that is wrong, and no prompt follows. */
const ENDS_ON_TRIAL: [number, number][] = [
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [977, 0],
  [257, 0],
  [2, 0],
  [0, 0],
  [227, 0],
  [2, 0],
  [0, 0],
  [17, 0],
  [0, 0],
  [0, 0],
  [2, 0],
  [2, 0],
  [2, 0],
  [2, 0],
  [17, 0],
  [0, 0],
  [62, 0],
  [0, 0],
  [2, 0],
  [0, 0],
  [0, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [226, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [16, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [1, 0],
  [3, 0],
  [33, 0],
  [3, 0],
  [379, 0],
  [3, 0],
  [8, 0],
  [693, 1],
  [2, 0],
  [1, 0],
  [1, 0],
  [1, 0],
]

describe('however messages interleave', () => {
  test('stages and client count the same rows, nobody is ahead by more than two windows, and no voucher is refused', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const model = createModel(2n ** 60n)
        for (const [what, size] of list) {
          happen(model, what, size)
          check(model, 2n ** 60n)
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: 8_000 },
    )
  })

  test('nobody works or pays above the cap', () => {
    fc.assert(
      fc.property(moves, fc.bigInt({ min: 0n, max: 3_000n }), (list, cap) => {
        const model = createModel(cap)
        for (const [what, size] of list) {
          happen(model, what, size)
          check(model, cap)
          expect(terms(cap).charge(model.payer.signed.counters)).toBeLessThanOrEqual(cap)
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: 8_000 },
    )
  })

  test('when everything has arrived, everything is paid', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const model = createModel(2n ** 60n)
        for (const [what, size] of list) happen(model, what, size)
        cancel(model)
        for (let quiet = 0; quiet < 600; quiet++) {
          takeOrder(model)
          for (let index = 0; index < STAGES; index++) compute(model, index)
          hearTail(model)
          pay(model)
          for (const stage of model.stages) takeVoucher(stage)
        }
        for (let index = 0; index < STAGES * 3; index++) for (const stage of model.stages) takeVoucher(stage)
        for (const { meter } of model.stages) expect(meter.paid.counters).toEqual(model.payer.seen)
        for (const { kept, counted, rows } of model.stages) {
          // A stage in the middle hears with the next prompt what stays of the last step: until then its drafts are on trial.
          const certain = counted.length - (kept.open === undefined ? 0 : rows - 1)
          expect(counted.slice(certain - 1)).toContainEqual(model.payer.seen)
        }
      }),
      { numRuns: 30, interruptAfterTimeLimit: 8_000, examples: [[ENDS_ON_TRIAL]] },
    )
  })
})

test('a budget says at every step what the charge and the cap say', () => {
  const step = fc.record({
    kind: fc.constantFrom('prompt' as const, 'decode' as const, 'decode' as const),
    position: fc.nat(600),
    rows: fc.integer({ min: 1, max: 40 }),
    isAsked: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.bigInt({ min: 0n, max: 4_000n }), (steps, cap) => {
      const { charge } = terms(cap)
      const isWithin = createBudget({ charge, cap })
      let counters = ZERO_COUNTERS
      for (const { isAsked, ...rows } of steps) {
        const after = addRows(counters, rows)
        expect(isWithin(after, rows.position + rows.rows)).toBe(charge(after) <= cap)
        // A step that is asked about need not be done: a turn is cancelled, or it waits.
        if (!isAsked) counters = after
      }
    }),
    { numRuns: 200 },
  )
})
