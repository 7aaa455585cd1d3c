/**
 * The payer of a lease and the meters of its stages, over any interleaving of what travels between them: tokens come late, vouchers come
 * late, turns are cancelled and overtaken.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBudget } from '../../src/core/market/budget.ts'
import { type Counters, recede, ZERO_COUNTERS } from '../../src/core/market/counters.ts'
import { createPayer, type Payer, type Payment } from '../../src/core/market/payer.ts'
import { createPaymentMeter, type PaymentMeter } from '../../src/core/market/payment-meter.ts'
import {
  addRows,
  type StepRows,
  sameCounters,
  UNPAID_UNITS_MAX,
  unitsIn,
} from '../../src/core/market/payment-window.ts'
import { EMPTY_TRANSCRIPT } from '../../src/core/market/transcript.ts'

const STAGES = 3
const CHUNK = 96

interface Step extends StepRows {
  readonly turn: number
  readonly samples: boolean
}

interface Stage {
  readonly meter: PaymentMeter
  readonly inbox: Step[]
  readonly vouchers: Payment[]
  readonly counted: Counters[]
}

interface Model {
  readonly payer: Payer
  readonly stages: Stage[]
  /** On their way from the client to stage 1. */
  readonly orders: ({ turn: number; position: number; tokens: number[] } | { cancel: number })[]
  /** Tokens on their way from the tail to stage 1 and to the client. */
  readonly toFirst: { turn: number; position: number }[]
  readonly toClient: { turn: number; position: number; token?: number }[]
  /** Stage 1: the turn that runs, and what is left of its prompt. */
  turn: number
  cancelled: number
  pending: Step[]
  nextTurn: number
  held: number
}

const terms = (cap: bigint) => ({
  cap,
  decodeRowUnits: 8n,
  charge: (c: Counters) => c.promptRows + 4n * c.decodeRows + (c.promptPositions + c.decodePositions) / 100n,
})

function createModel(cap: bigint): Model {
  const start = { seq: 0n, counters: ZERO_COUNTERS, transcript: EMPTY_TRANSCRIPT }
  const stage = (): Stage => ({
    meter: createPaymentMeter(terms(cap), start),
    inbox: [],
    vouchers: [],
    counted: [ZERO_COUNTERS],
  })
  return {
    payer: createPayer(terms(cap), start),
    stages: Array.from({ length: STAGES }, stage),
    orders: [],
    toFirst: [],
    toClient: [],
    turn: 0,
    cancelled: 0,
    pending: [],
    nextTurn: 1,
    held: 0,
  }
}

/** One thing happens, if it can: stages take steps only within their allowance. */
function happen(model: Model, what: number, size: number): void {
  const actions = [
    () => prompt(model, size),
    () => cancel(model),
    () => takeOrder(model),
    ...model.stages.map((_, index) => () => compute(model, index)),
    ...model.stages.map((_, index) => () => compute(model, index)),
    () => hearTail(model),
    () => hearTail(model),
    ...model.stages.map((stage) => () => takeVoucher(stage)),
    () => pay(model),
  ]
  actions[what % actions.length]!()
}

function prompt(model: Model, size: number): void {
  const tokens = Array.from({ length: 1 + (size % 300) }, (_, index) => index)
  const turn = model.nextTurn
  const position = size % (model.held + 1)
  if (!model.payer.affords({ turn, position, tokens })) return
  model.nextTurn++
  model.held = position
  model.payer.prompt({ turn, position, tokens })
  model.orders.push({ turn, position, tokens })
}

function cancel(model: Model): void {
  model.orders.push({ cancel: model.nextTurn - 1 })
}

function takeOrder(model: Model): void {
  const order = model.orders.shift()
  if (order === undefined) return
  if ('cancel' in order) {
    model.cancelled = Math.max(model.cancelled, order.cancel)
    return
  }
  const { turn, position, tokens } = order
  model.turn = turn
  model.pending = []
  for (let at = 0; at < tokens.length; at += CHUNK) {
    const rows = Math.min(CHUNK, tokens.length - at)
    model.pending.push({ kind: 'prompt', turn, position: position + at, rows, samples: at + rows === tokens.length })
  }
}

/** Stage 1 issues what is current; the others compute whatever comes. */
function compute(model: Model, index: number): void {
  const stage = model.stages[index]!
  const step = index === 0 ? nextOfFirst(model) : stage.inbox[0]
  if (step === undefined || stage.meter.admits(step) !== 'yes') return
  if (index > 0) stage.inbox.shift()
  else if (step.kind === 'decode') model.toFirst.shift()
  else model.pending.shift()
  stage.counted.push(stage.meter.begin(step))
  stage.meter.done()
  const isTail = index === STAGES - 1
  if (!isTail) model.stages[index + 1]!.inbox.push(step)
  else {
    const position = step.position + step.rows
    model.toClient.push(step.samples ? { turn: step.turn, position, token: 7 } : { turn: step.turn, position })
    if (step.samples) model.toFirst.push({ turn: step.turn, position })
  }
}

function nextOfFirst(model: Model): Step | undefined {
  const isCurrent = (turn: number) => turn === model.turn && turn > model.cancelled
  while (model.toFirst[0] !== undefined && !isCurrent(model.toFirst[0].turn)) model.toFirst.shift()
  if (!isCurrent(model.turn)) model.pending = []
  if (model.pending[0] !== undefined) return model.pending[0]
  const token = model.toFirst[0]
  return token && { kind: 'decode', turn: token.turn, position: token.position, rows: 1, samples: true }
}

function hearTail(model: Model): void {
  const told = model.toClient.shift()
  if (told === undefined) return
  expect(model.payer.told(told)).toBe(true)
  if (told.turn === model.nextTurn - 1) model.held = told.position
  if (model.payer.isDue) pay(model)
}

function pay(model: Model): void {
  if (!model.payer.owes) return
  const voucher = model.payer.pay()
  for (const { vouchers } of model.stages) vouchers.push(voucher)
}

function takeVoucher({ meter, vouchers }: Stage): void {
  const voucher = vouchers.shift()
  if (voucher === undefined) return
  expect(meter.fault(voucher)).toBeUndefined()
  expect(meter.accept(voucher)).toBeGreaterThan(0)
}

function check(model: Model, cap: bigint): void {
  const { payer, stages } = model
  const all = stages[0]!.counted
  for (const { meter, counted } of stages) {
    // Every stage has counted a beginning of what stage 1 has.
    expect(counted.length).toBeLessThanOrEqual(all.length)
    expect(counted.at(-1)).toEqual(all[counted.length - 1])
    expect(unitsIn(meter.begun, 8n) - unitsIn(meter.paid.counters, 8n)).toBeLessThanOrEqual(UNPAID_UNITS_MAX)
    // The client never pays for what was not computed by every one.
    expect(recede(payer.signed.counters, meter.begun)).toBe(false)
    expect(terms(cap).charge(meter.begun)).toBeLessThanOrEqual(cap)
  }
  expect(all.some((counters) => sameCounters(counters, payer.seen))).toBe(true)
}

const moves = fc.array(fc.tuple(fc.nat({ max: 999 }), fc.nat({ max: 999 })), { minLength: 50, maxLength: 400 })

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
        for (const { meter } of model.stages) expect(meter.begun).toEqual(model.payer.seen)
      }),
      { numRuns: 30, interruptAfterTimeLimit: 8_000 },
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
