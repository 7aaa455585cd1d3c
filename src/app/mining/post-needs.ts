/**
 * Whether a post that is leaving is still needed: somebody has a lease with a lot there and may come at any time, or this miner was drawn to
 * recompute a lot that no other post of it has.
 * Spec: docs/spec/posts.md §3, docs/spec/market.md §8.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { auditsOf } from '../audit/audit-pages.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { LeaseView, LotView } from '../chain/market-access.ts'
import type { Post } from '../posts/post.ts'

export interface NeedsParts {
  readonly chain: Pick<ChainAccess, 'market' | 'network'>
  readonly operator: AccountId
  /** Those that are not leaving: of two that leave neither makes up for the other. */
  readonly staying: () => readonly Post[]
  /** Whether it recomputes lots of others. */
  readonly audits: boolean
}

export async function isPostNeeded(post: Post, parts: NeedsParts, signal: AbortSignal): Promise<boolean> {
  const { chain, operator } = parts
  const address = addressOfAccount(operator, chain.network.kind)
  const others = parts.staying()
  const isOnlyHere = ({ model }: LeaseView, lot: LotView): boolean =>
    isWithin(post, model, lot) && !others.some((other) => isWithin(other, model, lot))
  for await (const lease of leasesOf(parts, signal)) {
    const isOurs = lease.lots.some((lot) => lot.operator === address && isOnlyHere(lease, lot))
    if (lease.status === 'open' && isOurs) return true
  }
  if (!parts.audits) return false
  for await (const audit of auditsOf(chain.market, undefined, signal)) {
    const seat = audit.auditors.find((auditor) => auditor.operator === address)
    if (seat === undefined || seat.committed) continue
    const lease = await chain.market.lease(audit.lease, signal)
    if (isOnlyHere(lease, lease.lots[audit.lot]!)) return true
  }
  return false
}

function isWithin({ model, firstSegment, lastSegment }: Post, wanted: string, { first, end }: LotView): boolean {
  return model.hash === wanted && firstSegment <= first && end <= lastSegment
}

async function* leasesOf({ chain, operator }: NeedsParts, signal: AbortSignal): AsyncGenerator<LeaseView> {
  let from: string | undefined
  do {
    const page = await chain.market.leases({ operator, from, limit: NODE_LIMITS.marketPageMax }, signal)
    yield* page.entries
    from = page.next
  } while (from !== undefined)
}
