/**
 * Who may audit a lot: miners with a live placement over it that have nothing to do with the lease, and something to lose.
 * Spec: docs/spec/market.md §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { LeaseRecord } from '../state/leases.ts'
import { getMiner, type MinerRecord } from '../state/miners.ts'
import { isLive, type PlacementRecord, placements } from '../state/placements.ts'
import type { ReadState } from '../state/state.ts'
import type { AuditCandidate } from './committee.ts'

export interface AuditedLot {
  readonly lease: LeaseRecord
  readonly lot: number
  readonly height: number
  /** Grains of its deposit that an auditor must have free. */
  readonly stake: bigint
  /** Who was asked before need not have them any more: they may be locked for this very audit. */
  readonly asked?: ReadonlySet<AccountId>
  /** Of the lease's model at this height; read when it is not there. For who asks about several lots. */
  readonly live?: readonly LiveMiner[]
}

/** Who has a live placement. */
export interface LiveMiner {
  readonly operator: AccountId
  readonly placement: PlacementRecord
  readonly miner: MinerRecord
}

/** In the order of their operators. Reads every placement of the model and its miner. */
export function liveMiners(state: ReadState, model: Hash, height: number): LiveMiner[] {
  return [...placements(state, model)].flatMap(([operator, placement]) => {
    const miner = getMiner(state, operator)
    return miner !== undefined && isLive(placement, miner, height) ? [{ operator, placement, miner }] : []
  })
}

/** In the order of their operators. None shares an account with a miner of the lease or with the payer. */
export function auditCandidates(
  state: ReadState,
  { lease, lot, height, stake, asked, live = liveMiners(state, lease.model, height) }: AuditedLot,
): AuditCandidate[] {
  const first = lot === 0 ? 0 : lease.lots[lot - 1]?.end
  const end = lease.lots[lot]?.end
  assert(first !== undefined && end !== undefined, 'the lot is one of the lease')
  const parties = partiesOf(state, lease)
  const candidates: AuditCandidate[] = []
  for (const { operator, placement, miner } of live) {
    if (placement.first > first || placement.end < end) continue
    if (parties.has(operator) || parties.has(miner.payout)) continue
    if (miner.deposit - miner.locked < stake && !asked?.has(operator)) continue
    if (miner.deposit === 0n) continue
    candidates.push({ operator, payout: miner.payout, deposit: miner.deposit })
  }
  return candidates
}

/** The payer, and operators and payout accounts of all lots. */
function partiesOf(state: ReadState, { payer, lots }: LeaseRecord): Set<AccountId> {
  const parties = new Set([payer])
  for (const { operator } of lots) {
    parties.add(operator)
    const miner = getMiner(state, operator)
    if (miner !== undefined) parties.add(miner.payout)
  }
  return parties
}
