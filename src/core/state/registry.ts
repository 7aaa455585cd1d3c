/**
 * Room in the tables of models, placements and canary reports: what has ended stays until its place is needed, because nobody is paid for clearing it
 * away earlier, and where nothing has ended the lowest deposit gives way to a larger one, so that nobody keeps others out for the least deposits.
 * Spec: docs/spec/market.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { canaryReports, putCanaryReport } from './canary-reports.ts'
import { getStanding, type MinerStanding } from './miners.ts'
import { modelHashes, models, putModel } from './models.ts'
import { countPlacements, getPlacement, isLive, placementIds, placements, putPlacement } from './placements.ts'
import type { ReadState, WriteState } from './state.ts'

/** Retirement ends the placements of a model: those that it still has hold open lots. */
export function hasPlacements(state: ReadState, model: Hash): boolean {
  for (const _ of placementIds(state, model)) return true
  return false
}

/** Whether one model more can be registered, when those that are over have gone. */
export function hasRoomForModel(state: ReadState): boolean {
  return countOf(modelHashes(state)) < MARKET_LIMITS.modelsMax || retiredModels(state).length > 0
}

/** Removes the models that are over if their place is needed. */
export function makeRoomForModel(state: WriteState): void {
  if (countOf(modelHashes(state)) < MARKET_LIMITS.modelsMax) return
  for (const model of retiredModels(state)) putModel(state, model, undefined)
}

/** Whether a table of a model takes one entry more. */
export type Room =
  | { readonly type: 'room' /** Whose entries go for it. */; readonly goes: readonly AccountId[] }
  /** The lowest deposit, which gives way to a larger one. */
  | { readonly type: 'full'; readonly lowest: bigint }

export interface PlacementRoomWish {
  readonly height: number
  /** Grains; lower deposits than this give way. 0: only what has ended goes. */
  readonly deposit: bigint
}

/** Reads each placement of a full table and the deposit of its miner once. Open lots keep nobody's place: their leases go on without it. */
export function roomForPlacement(state: ReadState, model: Hash, { height, deposit }: PlacementRoomWish): Room {
  if (countPlacements(state, model) < MARKET_LIMITS.placementsPerModelMax) return FREE
  const ended: AccountId[] = []
  const staying: Entry[] = []
  for (const [operator, placement] of placements(state, model)) {
    const miner = getStanding(state, operator)
    if (miner !== undefined && isLive(placement, miner, height)) staying.push({ operator, miner })
    else ended.push(operator)
  }
  return roomAmong({ ended, staying }, deposit)
}

/** With what `roomForPlacement` said. Those with open lots are leaving until these close. */
export function endPlacements(state: WriteState, model: Hash, operators: readonly AccountId[]): void {
  for (const operator of operators) {
    const placement = getPlacement(state, { model, operator })
    assert(placement !== undefined, 'what goes is there')
    putPlacement(state, { model, operator }, { ...placement, slots: 0 })
  }
}

/** Reads each canary report of a full table and the deposit of its miner once. `deposit`: lower ones than this give way. */
export function roomForReport(state: ReadState, model: Hash, deposit: bigint): Room {
  if (countOf(canaryReports(state, model)) < MARKET_LIMITS.canaryReportsMax) return FREE
  const ended: AccountId[] = []
  const staying: Entry[] = []
  for (const [operator] of canaryReports(state, model)) {
    const miner = getStanding(state, operator)
    if (miner?.status === 'active') staying.push({ operator, miner })
    else ended.push(operator)
  }
  return roomAmong({ ended, staying }, deposit)
}

/** With what `roomForReport` said. */
export function removeReports(state: WriteState, model: Hash, operators: readonly AccountId[]): void {
  for (const operator of operators) putCanaryReport(state, { model, operator }, undefined)
}

/** Removes all canary reports of a model: they are of one approval. */
export function dropReports(state: WriteState, model: Hash): void {
  removeReports(
    state,
    model,
    [...canaryReports(state, model)].map(([operator]) => operator),
  )
}

const FREE: Room = { type: 'room', goes: [] }

/** One that could give way. */
interface Entry {
  readonly operator: AccountId
  readonly miner: MinerStanding
}

function roomAmong(
  { ended, staying }: { readonly ended: readonly AccountId[]; readonly staying: readonly Entry[] },
  deposit: bigint,
): Room {
  if (ended.length > 0) return { type: 'room', goes: ended }
  const lowest = staying.reduce((low, entry) => (isBelow(entry, low) ? entry : low))
  if (lowest.miner.deposit >= deposit) return { type: 'full', lowest: lowest.miner.deposit }
  return { type: 'room', goes: [lowest.operator] }
}

/** The lower deposit; of equal ones the miner that registered later: money that goes from account to account drives out its own; then the greater id. */
function isBelow(one: Entry, other: Entry): boolean {
  const [a, b] = [one.miner, other.miner]
  if (a.deposit !== b.deposit) return a.deposit < b.deposit
  if (a.registeredHeight !== b.registeredHeight) return a.registeredHeight > b.registeredHeight
  return one.operator > other.operator
}

/** Retired, and no lot of it is open. */
function retiredModels(state: ReadState): Hash[] {
  const over = [...models(state)].filter(([model, { status }]) => status === 'retired' && !hasPlacements(state, model))
  return over.map(([model]) => model)
}

function countOf(items: Iterable<unknown>): number {
  let count = 0
  for (const _ of items) count++
  return count
}
