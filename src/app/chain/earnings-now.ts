/**
 * What some miners stand to get, as the chain is now: their deposits, the lots of leases that are not settled, and what is promised for those
 * beyond what was claimed. Spec: docs/spec/cli.md §12.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Counters } from '../../core/market/counters.ts'
import { unitsOf } from '../../core/market/work.ts'
import { claimedPay } from '../mining/claim-rule.ts'
import type { LeaseView, LotView, MarketAccess, MinerView } from './market-access.ts'
import { firstEntries } from './market-pages.ts'

/** A lot whose lease is not settled. */
export interface UnsettledLot {
  readonly miner: string
  readonly lease: Hash
  readonly model: Hash
  readonly lot: number
  readonly status: LeaseView['status']
  /** Until which it is open or may be claimed; absent while audits are waited for. */
  readonly untilHeight?: number
  /** Grains that it gets if it is settled as it is, its audits passed. */
  readonly claimed: string
  /** Grains beyond that, promised to a miner of this machine and not claimed yet. */
  readonly promised: string
}

export interface MinersNow {
  /** Those that are registered. */
  readonly miners: readonly MinerView[]
  readonly lots: readonly UnsettledLot[]
}

export interface NowPorts {
  readonly market: MarketAccess
  /** The voucher's counters that a miner of this machine has for a lease; undefined where none is known. */
  readonly promised: (peerKey: string, lease: Hash) => Promise<Counters | undefined>
  readonly signal: AbortSignal
}

const LEASES_MAX = 512

export async function minersNow(operators: readonly AccountId[], ports: NowPorts): Promise<MinersNow> {
  const miners: MinerView[] = []
  const lots: UnsettledLot[] = []
  for (const operator of operators) {
    const miner = await minerUnlessNone(operator, ports)
    if (miner === undefined) continue
    miners.push(miner)
    if (miner.openLots > 0) lots.push(...(await lotsOf(operator, miner, ports)))
  }
  return { miners, lots }
}

async function minerUnlessNone(operator: AccountId, { market, signal }: NowPorts): Promise<MinerView | undefined> {
  try {
    return await market.miner(operator, signal)
  } catch (error) {
    if (codeOf(error) === 'NO_SUCH_MINER') return undefined
    throw error
  }
}

async function lotsOf(
  operator: AccountId,
  { address, peerKey }: MinerView,
  { market, promised, signal }: NowPorts,
): Promise<UnsettledLot[]> {
  const { entries } = await firstEntries((page) => market.leases({ operator, ...page }, signal), LEASES_MAX)
  const found: UnsettledLot[] = []
  for (const lease of entries) {
    for (const [lot, view] of lease.lots.entries()) {
      if (view.operator !== address) continue
      const claimed = claimedPay(lease, view)
      // What can be claimed no more is promised in vain; until then receipts can be made for all of it.
      const counters = lease.status === 'auditing' ? undefined : await promised(peerKey, lease.id)
      const more = counters === undefined ? 0n : promisedPay(lease, view, counters) - claimed
      found.push({
        ...{ miner: address, lease: lease.id, model: lease.model, lot, status: lease.status, ...untilOf(lease) },
        ...{ claimed: String(claimed), promised: String(more > 0n ? more : 0n) },
      })
    }
  }
  return found
}

function promisedPay({ terms }: LeaseView, { rate, work }: LotView, counters: Counters): bigint {
  const segments = { linear: BigInt(work.linear), attention: BigInt(work.attention) }
  return BigInt(rate) * unitsOf([segments], counters, BigInt(terms.decodeWeight))
}

function untilOf({ status, expiryHeight, dueHeight }: LeaseView): { readonly untilHeight?: number } {
  switch (status) {
    case 'open':
      return { untilHeight: expiryHeight }
    case 'closing':
      return { untilHeight: dueHeight }
    case 'auditing':
      return {}
  }
}
