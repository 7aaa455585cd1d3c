/**
 * What must hold of the tables of models, miners and placements in every state; part of invariants.ts. Leases and audits
 * are in lease-invariants.ts and audit-invariants.ts.
 * Spec: docs/spec/market.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { modelFault } from '../market/model-fault.ts'
import { auditFaults } from './audit-invariants.ts'
import { leaseFaults } from './lease-invariants.ts'
import { leases } from './leases.ts'
import { getMiner, miners, operatorOfPeerKey, peerKeys } from './miners.ts'
import { getModel, models } from './models.ts'
import { getPlacement, placementIds } from './placements.ts'
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
  }
  if (count > MARKET_LIMITS.modelsMax) yield `there are ${count} models`
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
    if (getMiner(state, operator) === undefined) yield `${what} is of no miner`
    if (slots > 0 && getModel(state, model)?.status === 'retired') yield `${what} offers a retired model`
  }
}
