/**
 * What must hold of the tables of models, miners and placements in every state; part of invariants.ts. Leases and audits
 * are in lease-invariants.ts and audit-invariants.ts.
 * Spec: docs/spec/market.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { modelFault } from '../market/model-fault.ts'
import { auditFaults } from './audit-invariants.ts'
import { canaryReportIds, canaryReports } from './canary-reports.ts'
import { leaseFaults } from './lease-invariants.ts'
import { leases } from './leases.ts'
import { getMiner, miners, operatorOfPeerKey, peerKeys } from './miners.ts'
import { modelDues } from './model-dues.ts'
import { getModel, type ModelRecord, models } from './models.ts'
import { countPlacements, getPlacement, leavingPlacementKey, placementIds, placementKey } from './placements.ts'
import type { ReadState } from './state.ts'

/** Grains that the market holds: deposits of models and miners, and what leases set aside. */
export function marketGrains(state: ReadState): bigint {
  let held = 0n
  for (const [, { deposit }] of models(state)) held += deposit
  for (const [, { deposit }] of miners(state)) held += deposit
  for (const [, { escrow }] of leases(state)) held += escrow
  return held
}

/** One line for each thing that is wrong. */
export function* marketFaults(state: ReadState): Iterable<string> {
  yield* modelFaults(state)
  yield* dueFaults(state)
  yield* minerFaults(state)
  yield* placementFaults(state)
  yield* leaseFaults(state)
  yield* auditFaults(state)
}

function* modelFaults(state: ReadState): Iterable<string> {
  let count = 0
  for (const [model, record] of models(state)) {
    count++
    const found = modelFault(record)
    if (found !== undefined) yield `the ${found.field} of model ${model} ${found.fault}`
    if (record.status === 'retired' && record.deposit > 0n) yield `model ${model} is retired and has its deposit`
    yield* lifeFaults(state, model, record)
  }
  if (count > MARKET_LIMITS.modelsMax) yield `there are ${count} models`
}

/** What a record may hold hangs on its status; the dues follow the records, and reports are on approved models. */
function* lifeFaults(state: ReadState, model: Hash, record: ModelRecord): Iterable<string> {
  const { status, successor, dueHeight, tries, predecessor, canary } = record
  const isWaiting = status === 'approved' || status === 'superseded'
  if (isWaiting !== (dueHeight !== undefined)) yield `model ${model} is ${status} and due at ${dueHeight}`
  if (status === 'superseded' && successor === undefined) yield `model ${model} was superseded by none`
  if (!isWaiting && successor !== undefined) yield `model ${model} is ${status} and has a successor`
  if (status !== 'approved' && tries > 0) yield `model ${model} is ${status} and was looked at ${tries} times`
  const hasPlace = predecessor !== undefined || successor !== undefined
  if ((status === 'published' || status === 'approved') && !hasPlace) yield `model ${model} is ${status} for no place`
  const reports = [...canaryReports(state, model)].length
  if (reports > 0 && (status !== 'approved' || canary === undefined)) yield `model ${model} has canary reports`
  const places = countPlacements(state, model)
  if (places > MARKET_LIMITS.placementsPerModelMax) yield `model ${model} has ${places} placements`
  if (reports > MARKET_LIMITS.canaryReportsMax) yield `model ${model} has ${reports} canary reports`
}

function* dueFaults(state: ReadState): Iterable<string> {
  const waiting = [...models(state)].filter(([, { dueHeight }]) => dueHeight !== undefined)
  const dues = [...modelDues(state)]
  for (const { model, height } of dues) {
    if (getModel(state, model)?.dueHeight !== height) yield `model ${model} is not due at ${height}`
  }
  if (dues.length !== waiting.length) yield `${waiting.length} models wait and ${dues.length} are due`
  for (const { model } of canaryReportIds(state)) {
    if (getModel(state, model) === undefined) yield `there is a canary report on ${model}, which is no model`
  }
}

/** A peer serves one operator, deposits hold what is locked, and lots are counted. */
function* minerFaults(state: ReadState): Iterable<string> {
  for (const [operator, miner] of miners(state)) {
    const { peerKey, deposit, locked, openLots, status } = miner
    if (operatorOfPeerKey(state, peerKey) !== operator) yield `the peer key of miner ${operator} belongs to another`
    if (locked > deposit) yield `miner ${operator} has ${locked} grains locked of ${deposit}`
    if (status === 'draining' && deposit > 0n) yield `miner ${operator} is draining and has a deposit`
    if (status === 'draining' && openLots === 0) yield `miner ${operator} is draining and has no open lots`
  }
  for (const [digits, operator] of peerKeys(state)) {
    const miner = getMiner(state, operator)
    if (miner === undefined) yield `${operator} has a peer key and is no miner`
    else if (bytesToHex(miner.peerKey) !== digits) yield `miner ${operator} has another peer key beside its own`
  }
}

function* placementFaults(state: ReadState): Iterable<string> {
  for (const id of placementIds(state)) {
    const { model, operator } = id
    const what = `the placement of ${operator} for ${model}`
    const segments = getModel(state, model)?.segments.length
    const { first, end, slots, used } = getPlacement(state, id)!
    if (segments === undefined) yield `${what} is of no model`
    else if (first >= end || end > segments) yield `${what} is of segments that there are not`
    if (slots === 0 && used === 0) yield `${what} is empty and not absent`
    const [isThere, isLeaving] = [placementKey(id), leavingPlacementKey(id)].map((key) => state.get(key) !== undefined)
    if (isThere === isLeaving) yield `${what} stands twice`
    if (isLeaving !== (slots === 0)) yield `${what} has ${slots} slots in the wrong table`
    if (getMiner(state, operator) === undefined) yield `${what} is of no miner`
    const status = getModel(state, model)?.status
    if (slots > 0 && (status === 'retired' || status === 'published')) yield `${what} offers a ${status} model`
  }
}
