/**
 * The life of a model: a vote approves a version, at its height it becomes active if enough miners serve it, and what it takes the place
 * of is superseded, can come back for a while, and retires. Spec: docs/spec/market.md §13.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { Parameters } from '../parameters.ts'
import { modelDues } from '../state/model-dues.ts'
import { getModel, type ModelRecord, putModel } from '../state/models.ts'
import { move } from '../state/money.ts'
import { placements } from '../state/placements.ts'
import type { ModelSubject } from '../state/proposals.ts'
import { dropReports, endPlacements, hasPlacements } from '../state/registry.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { type Lack, readinessOf } from './readiness.ts'

/** What became of a model at the end of a block. */
export type ModelChange = {
  /** Hash of its manifest. */
  readonly model: Hash
  readonly publisher: AccountId
} & (
  | { readonly change: 'approved' /** Of the first look. */; readonly height: number }
  | { readonly change: 'activated' /** Whose place it took. */; readonly superseded: Hash | undefined }
  | { readonly change: 'postponed'; readonly lack: Lack /** Of the next look. */; readonly height: number }
  | { readonly change: 'given-up'; readonly lack: Lack }
  | { readonly change: 'superseded'; readonly successor: Hash /** When it retires. */; readonly height: number }
  | { readonly change: 'retired' }
)

export interface LifeContext {
  /** Of the block that ends. */
  readonly height: number
  readonly parameters: Parameters
}

/** Whose place a model takes when it becomes active, and its record if it is there and not retired: of one that was superseded its successor's. */
export function takenBy(
  state: ReadState,
  { predecessor, successor }: ModelRecord,
): { readonly model: Hash | undefined; readonly record: ModelRecord | undefined } {
  const model = successor ?? predecessor
  const record = model === undefined ? undefined : getModel(state, model)
  return record === undefined || record.status === 'retired' ? { model, record: undefined } : { model, record }
}

/** After a vote that passed. The model that was meant may be gone, registered anew, or approved by another vote: then nothing happens. */
export function approveModel(state: WriteState, subject: ModelSubject): ModelChange[] {
  const { model, registeredHeight, activationHeight } = subject
  const record = getModel(state, model)
  if (record === undefined || record.registeredHeight !== registeredHeight) return []
  const { status, publisher } = record
  if (status !== 'published' && status !== 'superseded') return []
  if (isOvertaken(state, record)) return [{ model, publisher, change: 'given-up', lack: 'overtaken' }]
  putModel(state, model, { ...record, status: 'approved', dueHeight: activationHeight, tries: 0 })
  return [{ model, publisher, change: 'approved', height: activationHeight }]
}

/** Looks at approved models and retires superseded ones, those that wait longest first. Bounded: the rest waits for the next block. */
export function endDueModels(state: WriteState, context: LifeContext): ModelChange[] {
  return dueModels(state, context.height).flatMap((model) => {
    const record = getModel(state, model)
    // Another one of this block may have changed it.
    if (record?.dueHeight === undefined || record.dueHeight > context.height) return []
    if (record.status === 'approved') return lookAt(state, { model, record }, context)
    assert(record.status === 'superseded', 'models that wait are approved or superseded')
    endModel(state, model)
    return [{ model, publisher: record.publisher, change: 'retired' }]
  })
}

/**
 * Retires a model: the deposit goes back, placements end, and those that are left hold open lots. Without any nothing stays of it. The place
 * of an active version goes back to whoever it was taken from. It must not be retired already.
 */
export function endModel(state: WriteState, model: Hash): void {
  const record = getModel(state, model)
  assert(record !== undefined && record.status !== 'retired', 'what retires is there')
  const { deposit, publisher } = record
  move(state, { amount: deposit, from: { type: 'model', model }, to: { type: 'account', id: publisher } })
  endAllPlacements(state, model)
  dropReports(state, model)
  const ended = { deposit: 0n, status: 'retired', successor: undefined, dueHeight: undefined, tries: 0 } as const
  putModel(state, model, hasPlacements(state, model) ? { ...record, ...ended } : undefined)
  if (record.status === 'active') returnPlace(state, { model, record })
}

/**
 * Else nobody could lease either of them until a vote ends, or until the height that one named. Whom a vote approved to come back goes first; who was
 * superseded by a rollback was voted out, and stays so.
 */
function returnPlace(state: WriteState, { model, record: { predecessor, price } }: Looked): void {
  const back = approvedFor(state, model) ?? supersededBy(state, model, predecessor)
  if (back === undefined) return
  dropReports(state, back.model)
  const active = { price, status: 'active', successor: undefined, dueHeight: undefined, tries: 0 } as const
  putModel(state, back.model, { ...back.record, ...active })
}

/** Which model that `model` superseded a vote approved to come back; of several the one that is due first. */
function approvedFor(state: ReadState, model: Hash): Looked | undefined {
  for (const due of modelDues(state)) {
    const record = getModel(state, due.model)
    if (record?.status === 'approved' && record.successor === model) return { model: due.model, record }
  }
  return undefined
}

function supersededBy(state: ReadState, model: Hash, predecessor: Hash | undefined): Looked | undefined {
  const record = predecessor === undefined ? undefined : getModel(state, predecessor)
  if (predecessor === undefined || record?.status !== 'superseded' || record.successor !== model) return undefined
  return { model: predecessor, record }
}

function dueModels(state: ReadState, height: number): Hash[] {
  const due: Hash[] = []
  for (const { height: dueHeight, model } of modelDues(state)) {
    if (dueHeight > height || due.length === MARKET_LIMITS.dueModelsPerBlock) break
    due.push(model)
  }
  return due
}

interface Looked {
  readonly model: Hash
  readonly record: ModelRecord
}

function lookAt(state: WriteState, looked: Looked, context: LifeContext): ModelChange[] {
  const { height, parameters } = context
  const { model, record } = looked
  const { publisher } = record
  if (isOvertaken(state, record)) return [giveUp(state, looked, { ...context, lack: 'overtaken' })]
  // Who serves it when the first lease can be opened.
  const { lack } = readinessOf(state, looked, { height: height + 1, parameters })
  if (lack === undefined) return activate(state, looked, context)
  const tries = record.tries + 1
  if (BigInt(tries) >= parameters.activationTries) return [giveUp(state, looked, { ...context, lack })]
  const next = height + Number(parameters.activationRetryBlocks)
  putModel(state, model, { ...record, dueHeight: next, tries })
  return [{ model, publisher, change: 'postponed', lack, height: next }]
}

/** Another version has the place that it was to take. Where nobody has it, because its model retired, it takes none. */
function isOvertaken(state: ReadState, record: ModelRecord): boolean {
  const taken = takenBy(state, record).record
  return taken !== undefined && taken.status !== 'active'
}

function activate(state: WriteState, { model, record }: Looked, context: LifeContext): ModelChange[] {
  const { height, parameters } = context
  const { model: taken, record: before } = takenBy(state, record)
  const isTaking = taken !== undefined && before !== undefined
  dropReports(state, model)
  putModel(state, model, {
    ...record,
    // What work costs was found out by the one that it follows: the publisher's guess is weeks old.
    price: isTaking ? before.price : record.price,
    ...{ status: 'active', successor: undefined, dueHeight: undefined, tries: 0 },
  })
  const activated: ModelChange = {
    ...{ model, publisher: record.publisher, change: 'activated', superseded: isTaking ? taken : undefined },
  }
  if (!isTaking) return [activated]
  const dueHeight = height + Number(parameters.rollbackBlocks)
  putModel(state, taken, { ...before, status: 'superseded', successor: model, dueHeight })
  const { publisher } = before
  return [activated, { model: taken, publisher, change: 'superseded', successor: model, height: dueHeight }]
}

/** Back to where the vote found it: published, or superseded with all the time that it has then. Another vote may try again. */
function giveUp(
  state: WriteState,
  { model, record }: Looked,
  { height, parameters, lack }: LifeContext & { readonly lack: Lack },
): ModelChange {
  dropReports(state, model)
  const isBack = record.successor !== undefined
  putModel(state, model, {
    ...record,
    status: isBack ? 'superseded' : 'published',
    dueHeight: isBack ? height + Number(parameters.rollbackBlocks) : undefined,
    tries: 0,
  })
  // Nobody serves what is not approved.
  if (!isBack) endAllPlacements(state, model)
  return { model, publisher: record.publisher, change: 'given-up', lack }
}

function endAllPlacements(state: WriteState, model: Hash): void {
  endPlacements(
    state,
    model,
    [...placements(state, model)].map(([operator]) => operator),
  )
}
