/**
 * A ring that is paid, as arithmetic: a client, stages, and what travels between them, each piece by itself. Turns are cancelled and overtaken, and some rows of
 * decoding are drafts that turn out wrong. Knows no channels.
 * @module
 */
import { expect } from 'vitest'
import { createKeptRows, type KeptRows } from '../../src/app/ring/kept-rows.ts'
import { type Counters, recede, ZERO_COUNTERS } from '../../src/core/market/counters.ts'
import { createPayer, type Payer, type Payment } from '../../src/core/market/payer.ts'
import { createPaymentMeter, type PaymentMeter, type PaymentTerms } from '../../src/core/market/payment-meter.ts'
import { type StepRows, sameCounters, UNPAID_UNITS_MAX, unitsIn } from '../../src/core/market/payment-window.ts'
import { EMPTY_TRANSCRIPT } from '../../src/core/market/transcript.ts'

export const STAGES = 3
const CHUNK = 96

interface Step extends StepRows {
  readonly turn: number
  readonly samples: boolean
}

/** What stays of the last step with drafts, where no step says it. */
interface Keep {
  readonly keepTo: number
  readonly turn: number
}

export interface Stage {
  readonly meter: PaymentMeter
  readonly kept: KeptRows
  readonly inbox: (Step | Keep)[]
  readonly vouchers: Payment[]
  readonly counted: Counters[]
  /** Of its last step. */
  rows: number
}

export interface Model {
  readonly payer: Payer
  readonly stages: Stage[]
  /** On their way from the client to stage 1. */
  readonly orders: ({ turn: number; position: number; tokens: number[] } | { cancel: number })[]
  /** Tokens on their way from the tail to stage 1 and to the client. */
  readonly toFirst: { turn: number; position: number }[]
  readonly toClient: { turn: number; position: number; tokens?: number[] }[]
  /** Stage 1: the turn that runs, and what is left of its prompt. */
  turn: number
  cancelled: number
  pending: Step[]
  nextTurn: number
  held: number
}

export const terms = (cap: bigint): PaymentTerms => ({
  cap,
  decodeRowUnits: 8n,
  charge: (c: Counters) => c.promptRows + 4n * c.decodeRows + (c.promptPositions + c.decodePositions) / 100n,
})

export function createModel(cap: bigint): Model {
  const start = { seq: 0n, counters: ZERO_COUNTERS, transcript: EMPTY_TRANSCRIPT }
  const stage = (): Stage => ({
    meter: createPaymentMeter(terms(cap), start),
    kept: createKeptRows(true),
    inbox: [],
    vouchers: [],
    counted: [ZERO_COUNTERS],
    rows: 0,
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
export function happen(model: Model, what: number, size: number): void {
  const actions = [
    () => prompt(model, size),
    () => cancel(model),
    () => takeOrder(model),
    ...model.stages.map((_, index) => () => compute(model, index, size)),
    ...model.stages.map((_, index) => () => compute(model, index, size)),
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

export function cancel(model: Model): void {
  model.orders.push({ cancel: model.nextTurn - 1 })
}

export function takeOrder(model: Model): void {
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

/** Stage 1 issues what is current; the others compute whatever comes. Rows of decoding count one by one. `size` says how many drafts there are, and how many are right. */
export function compute(model: Model, index: number, size = 0): void {
  const stage = model.stages[index]!
  const { meter, kept } = stage
  const step = index === 0 ? nextOfFirst(model, size % 8) : stage.inbox[0]
  if (step === undefined) return
  if ('keepTo' in step) {
    stage.inbox.shift()
    forget(stage, kept.keep(step.turn, step.keepTo))
    model.stages[index + 1]?.inbox.push(step)
    return
  }
  if (index > 0 && !stage.inbox.some((one) => one === step && isTold(stage, one))) return
  if (meter.admits(step) !== 'yes') return
  if (index > 0) stage.inbox.shift()
  else if (step.kind === 'decode') model.toFirst.shift()
  else model.pending.shift()
  if (index === 0) forget(stage, kept.step(messageOf(step)))
  stage.rows = step.rows
  for (const rows of step.kind === 'prompt' ? [step] : single(step)) {
    stage.counted.push(meter.begin(rows))
    meter.done()
  }
  if (index === STAGES - 1) draw(model, step, 1 + (size % step.rows))
  else model.stages[index + 1]!.inbox.push(step)
}

/** A stage after the first hears by a step what is left of the one before it; once. */
function isTold(stage: Stage, step: Step): boolean {
  if (!told.has(stage)) told.set(stage, new WeakSet())
  const heard = told.get(stage)!
  if (heard.has(step)) return true
  heard.add(step)
  forget(stage, stage.kept.step(messageOf(step)))
  return true
}

const told = new WeakMap<Stage, WeakSet<Step>>()

function draw(model: Model, step: Step, rows: number): void {
  const { turn, samples, kind } = step
  const stage = model.stages[STAGES - 1]!
  const position = kind === 'prompt' ? step.position + step.rows : step.position + 1
  const tokens = Array.from({ length: kind === 'prompt' ? 1 : rows }, () => 7)
  if (stage.kept.open !== undefined) forget(stage, stage.kept.settle(position + tokens.length - 1))
  model.toClient.push(samples ? { turn, position, tokens } : { turn, position })
  if (samples) model.toFirst.push({ turn, position: position + tokens.length - 1 })
}

function forget({ meter, counted }: Stage, rows: number): void {
  if (rows === 0) return
  meter.forget(rows)
  counted.length -= rows
}

const messageOf = ({ kind, turn, position, rows }: Step) => {
  return { turn, position, acknowledge: kind === 'prompt', tokens: new Int32Array(rows) }
}

function single(step: Step): Step[] {
  return Array.from({ length: step.rows }, (_, index) => ({ ...step, position: step.position + index, rows: 1 }))
}

function nextOfFirst(model: Model, drafts: number): Step | undefined {
  const isCurrent = (turn: number) => turn === model.turn && turn > model.cancelled
  const [first, second] = model.stages as [Stage, Stage]
  const { kept, meter } = first
  for (const answer of model.toFirst) {
    if (kept.open?.turn === answer.turn) forget(first, kept.settle(answer.position))
  }
  while (model.toFirst[0] !== undefined && !isCurrent(model.toFirst[0].turn)) model.toFirst.shift()
  if (!isCurrent(model.turn)) model.pending = []
  if (model.pending[0] !== undefined) {
    if (kept.open !== undefined) return undefined
    const { unsaid } = kept
    if (unsaid !== undefined) {
      kept.keep(unsaid.turn, unsaid.position)
      second.inbox.push({ turn: unsaid.turn, keepTo: unsaid.position })
    }
    return model.pending[0]
  }
  const token = model.toFirst[0]
  if (token === undefined) return undefined
  const wanted = 1 + Math.min(drafts, kept.draftsAllowed)
  const stepOf = (rows: number): Step => ({ kind: 'decode', ...token, rows, samples: true })
  for (let rows = wanted; rows > 1; rows--) if (meter.admits(stepOf(rows)) === 'yes') return stepOf(rows)
  return stepOf(1)
}

export function hearTail(model: Model): void {
  const heard = model.toClient.shift()
  if (heard === undefined) return
  expect(model.payer.told(heard)).toBe(true)
  if (heard.turn === model.nextTurn - 1) model.held = heard.position + Math.max(0, (heard.tokens?.length ?? 0) - 1)
  if (model.payer.isDue) pay(model)
}

export function pay(model: Model): void {
  if (!model.payer.owes) return
  const voucher = model.payer.pay()
  for (const { vouchers } of model.stages) vouchers.push(voucher)
}

export function takeVoucher({ meter, vouchers }: Stage): void {
  const voucher = vouchers.shift()
  if (voucher === undefined) return
  expect(meter.fault(voucher)).toBeUndefined()
  expect(meter.accept(voucher)).toBeGreaterThan(0)
}

export function check(model: Model, cap: bigint): void {
  const { payer, stages } = model
  const all = stages[0]!.counted
  for (const { meter, kept, counted, rows } of stages) {
    // Every stage has counted a beginning of what stage 1 has, and then what is on trial.
    const certain = counted.length - (kept.open === undefined ? 0 : rows - 1)
    expect(certain).toBeLessThanOrEqual(all.length)
    expect(counted[certain - 1]).toEqual(all[certain - 1])
    expect(unitsIn(meter.begun, 8n) - unitsIn(meter.paid.counters, 8n)).toBeLessThanOrEqual(UNPAID_UNITS_MAX)
    // The client never pays for what was not computed by every one.
    expect(recede(payer.signed.counters, meter.begun)).toBe(false)
    expect(terms(cap).charge(meter.begun)).toBeLessThanOrEqual(cap)
  }
  expect(all.some((counters) => sameCounters(counters, payer.seen))).toBe(true)
}
