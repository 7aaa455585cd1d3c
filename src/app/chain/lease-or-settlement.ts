/**
 * A lease that is there, or how it was settled. Spec: docs/spec/cli.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { SettlementView } from './earnings-access.ts'
import type { LeaseView, MarketAccess } from './market-access.ts'

export type FoundLease =
  | { readonly type: 'lease'; readonly lease: LeaseView }
  | { readonly type: 'settlement'; readonly settlement: SettlementView }

/** @throws TransactionError NO_SUCH_LEASE, also for one that was settled where nobody knows of it: at a light client. */
export async function leaseOrSettlement(market: MarketAccess, id: Hash, signal: AbortSignal): Promise<FoundLease> {
  try {
    return { type: 'lease', lease: await market.lease(id, signal) }
  } catch (error) {
    if (codeOf(error) !== 'NO_SUCH_LEASE') throw error
    const settlement = await settlementIfKnown(market, id, signal)
    if (settlement === undefined) throw error
    return { type: 'settlement', settlement }
  }
}

async function settlementIfKnown(
  market: MarketAccess,
  id: Hash,
  signal: AbortSignal,
): Promise<SettlementView | undefined> {
  return market.settlement(id, signal).catch((error: unknown) => {
    // A node of an older version does not know what that is.
    if (codeOf(error) === 'LIGHT_NEEDS_NODE' || codeOf(error) === 'CONTROL_METHOD_UNKNOWN') return undefined
    throw error
  })
}
