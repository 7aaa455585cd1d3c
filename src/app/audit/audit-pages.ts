/**
 * Audits as a node tells of them, page by page.
 * Spec: docs/spec/control.md §11.
 * @module
 */

import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import type { AuditId } from '../../core/state/audits.ts'
import type { AuditView, MarketAccess } from '../chain/market-access.ts'

type Audits = Pick<MarketAccess, 'audits'>

/** All that have no result yet, or those of a lease. Blocks may come while the pages do. */
export async function* auditsOf(
  market: Audits,
  lease: Hash | undefined,
  signal?: AbortSignal,
): AsyncGenerator<AuditView, void, void> {
  let from: string | undefined
  do {
    const page = await market.audits({ lease, from, limit: NODE_LIMITS.marketPageMax }, signal)
    yield* page.entries
    from = page.next
  } while (from !== undefined)
}

/** undefined: it has ended, or was never opened. @throws TransactionError NO_SUCH_LEASE. */
export async function auditOf(market: Audits, id: AuditId, signal?: AbortSignal): Promise<AuditView | undefined> {
  for await (const audit of auditsOf(market, id.lease, signal)) {
    if (audit.lot === id.lot && audit.window === id.window) return audit
  }
  return undefined
}

/** The audit's key as text: what jobs and verdicts are found by. */
export function auditName({ lease, lot, window }: AuditId): string {
  return `${lease} ${lot} ${window}`
}
