/**
 * Room in the tables of models, placements and canary reports: what has ended stays until its place is needed, because nobody is paid for clearing it
 * away earlier. Spec: docs/spec/market.md §4.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { canaryReports, putCanaryReport } from './canary-reports.ts'
import { getMiner } from './miners.ts'
import { modelHashes, models, putModel } from './models.ts'
import { isLive, placementIds, placements, putPlacement } from './placements.ts'
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

/** Whether a model can have one placement more at a height, when those that are over have gone. */
export function hasRoomForPlacement(state: ReadState, model: Hash, height: number): boolean {
  return isPlacementFree(state, model) || endedPlacements(state, model, height).length > 0
}

/** Removes the placements of a model that are over if their place is needed. */
export function makeRoomForPlacement(state: WriteState, model: Hash, height: number): void {
  if (isPlacementFree(state, model)) return
  for (const operator of endedPlacements(state, model, height)) putPlacement(state, { model, operator }, undefined)
}

/** Whether a model can have one canary report more, when those of miners that left have gone. */
export function hasRoomForReport(state: ReadState, model: Hash): boolean {
  return isReportFree(state, model) || reportsOfGone(state, model).length > 0
}

/** Removes the canary reports of miners that left if their place is needed. */
export function makeRoomForReport(state: WriteState, model: Hash): void {
  if (isReportFree(state, model)) return
  for (const operator of reportsOfGone(state, model)) putCanaryReport(state, { model, operator }, undefined)
}

/** Removes all canary reports of a model: they are of one approval. */
export function dropReports(state: WriteState, model: Hash): void {
  for (const [operator] of [...canaryReports(state, model)]) putCanaryReport(state, { model, operator }, undefined)
}

function isReportFree(state: ReadState, model: Hash): boolean {
  return countOf(canaryReports(state, model)) < MARKET_LIMITS.canaryReportsMax
}

/** Of who is no active miner any more. */
function reportsOfGone(state: ReadState, model: Hash): AccountId[] {
  return [...canaryReports(state, model)]
    .map(([operator]) => operator)
    .filter((operator) => {
      return getMiner(state, operator)?.status !== 'active'
    })
}

function isPlacementFree(state: ReadState, model: Hash): boolean {
  return countOf(placementIds(state, model)) < MARKET_LIMITS.placementsPerModelMax
}

/** Retired, and no lot of it is open. */
function retiredModels(state: ReadState): Hash[] {
  const over = [...models(state)].filter(([model, { status }]) => status === 'retired' && !hasPlacements(state, model))
  return over.map(([model]) => model)
}

/** Not live at the height, and without open lots. */
function endedPlacements(state: ReadState, model: Hash, height: number): AccountId[] {
  const over = [...placements(state, model)].filter(([operator, placement]) => {
    return placement.used === 0 && !isLive(placement, getMiner(state, operator), height)
  })
  return over.map(([operator]) => operator)
}

function countOf(items: Iterable<unknown>): number {
  let count = 0
  for (const _ of items) count++
  return count
}
