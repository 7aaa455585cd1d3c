/**
 * Whether enough miners serve an approved model, and compute it right, for it to take another's place. Changes nothing.
 * Spec: docs/spec/market.md §13.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'
import { canaryReports } from '../state/canary-reports.ts'
import { getMiner, type MinerRecord } from '../state/miners.ts'
import type { ModelRecord } from '../state/models.ts'
import { isLive, type PlacementRecord, placements } from '../state/placements.ts'
import type { ReadState } from '../state/state.ts'

/** Why a model does not become active: a segment has too few owners, too many canaries failed, or its place is another's by now. */
export type Lack = 'unserved' | 'canary' | 'overtaken'

/** What the miners who are active now reported. */
interface CanaryTally {
  /** How many, and the grains of their deposits. */
  readonly passed: number
  readonly passedDeposits: bigint
  readonly failed: number
  readonly failedDeposits: bigint
}

export interface Readiness {
  /** By segment: different payout accounts with live placements, of operators that reported a pass where there is a canary. */
  readonly owners: readonly number[]
  readonly reports: CanaryTally
  /** undefined: it is ready. */
  readonly lack: Exclude<Lack, 'overtaken'> | undefined
}

type Run = Pick<PlacementRecord, 'first' | 'end'>

const PER_MILLE = 1_000n

/** As it would be in the block of `height`. Reads each placement and each report of the model once, and their miners. */
export function readinessOf(
  state: ReadState,
  { model, record }: { readonly model: Hash; readonly record: ModelRecord },
  { height, parameters }: { readonly height: number; readonly parameters: Parameters },
): Readiness {
  const { passers, reports } = tallyReports(state, model)
  const runs = new Map<AccountId, Run[]>()
  for (const [operator, placement] of placements(state, model)) {
    if (record.canary !== undefined && !passers.has(operator)) continue
    const miner = passers.get(operator) ?? getMiner(state, operator)
    if (miner === undefined || !isLive(placement, miner, height)) continue
    const own = runs.get(miner.payout)
    if (own === undefined) runs.set(miner.payout, [placement])
    else own.push(placement)
  }
  const owners = ownersOf(runs.values(), record.segments.length)
  const isServed = owners.every((count) => BigInt(count) >= parameters.readyOwners)
  const lack = hasFailed(reports, parameters) ? 'canary' : isServed ? undefined : 'unserved'
  return { owners, reports, lack }
}

/** Of how many owners' runs each segment is part; a segment that an owner serves twice is served by one. */
function ownersOf(all: Iterable<readonly Run[]>, segments: number): number[] {
  const owners = Array.from({ length: segments }, () => 0)
  for (const own of all) {
    let done = 0
    for (const { first, end } of own.toSorted((one, other) => one.first - other.first)) {
      for (let at = Math.max(first, done); at < end; at++) owners[at]!++
      done = Math.max(done, end)
    }
  }
  return owners
}

/** Miners are counted by what they have at stake: accounts cost nothing. */
function hasFailed({ passedDeposits, failedDeposits }: CanaryTally, { canaryFailures }: Parameters): boolean {
  const all = passedDeposits + failedDeposits
  return failedDeposits > 0n && failedDeposits * PER_MILLE >= canaryFailures * all
}

/** Reports of who is no active miner any more count for nothing. */
function tallyReports(
  state: ReadState,
  model: Hash,
): { readonly passers: ReadonlyMap<AccountId, MinerRecord>; readonly reports: CanaryTally } {
  const passers = new Map<AccountId, MinerRecord>()
  const reports = { passed: 0, passedDeposits: 0n, failed: 0, failedDeposits: 0n }
  for (const [operator, hasPassed] of canaryReports(state, model)) {
    const miner = getMiner(state, operator)
    if (miner?.status !== 'active') continue
    if (hasPassed) {
      passers.set(operator, miner)
      reports.passed++
      reports.passedDeposits += miner.deposit
    } else {
      reports.failed++
      reports.failedDeposits += miner.deposit
    }
  }
  return { passers, reports }
}
