/**
 * Reads what a node knows of some accounts' earnings, page by page up to a bound, and at later looks only what is new. Spec: docs/spec/cli.md §12.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import type { EarningsAccess, MarketRecordView, RecordPlace } from './earnings-access.ts'

export interface EarningsKnown {
  readonly height: number
  /** The oldest block of which the node knows. */
  readonly since: number
  /** Newest first. */
  readonly records: readonly MarketRecordView[]
  /** Whether they are all that the node knows. */
  readonly isWhole: boolean
}

export interface EarningsFeed {
  refresh(signal: AbortSignal): Promise<EarningsKnown>
}

export interface FeedWish {
  /** At least one. */
  readonly accounts: readonly AccountId[]
  /** How many are kept. */
  readonly recordsMax: number
  /** Unix time; older ones are not read. */
  readonly fromMs?: number | undefined
}

/** Usually all that is new since the look before, and one that is known. */
const FRESH = 16

export function createEarningsFeed(
  market: EarningsAccess,
  { accounts, recordsMax, fromMs = 0 }: FeedWish,
): EarningsFeed {
  let kept: readonly MarketRecordView[] = []
  let isWhole = true
  return {
    async refresh(signal) {
      const fresh: MarketRecordView[] = []
      const newest = kept[0]
      let from: string | undefined
      let end: 'known' | 'all' | undefined
      for (;;) {
        const limit = newest !== undefined && from === undefined ? FRESH : NODE_LIMITS.marketPageMax
        const page = await market.earnings({ accounts, from, limit }, signal)
        for (const record of page.entries) {
          if (newest !== undefined && !isNewer(record, newest)) end ??= 'known'
          else if (record.timeMs < fromMs) end ??= 'all'
          else if (end === undefined) fresh.push(record)
        }
        from = page.next
        if (from === undefined) end ??= 'all'
        if (end === undefined && fresh.length < recordsMax) continue
        const all = end === 'known' ? [...fresh, ...kept] : fresh
        isWhole = (end === 'known' ? isWhole : end === 'all') && all.length <= recordsMax
        kept = all.slice(0, recordsMax)
        return { height: page.height, since: page.since, records: kept, isWhole }
      }
    },
  }
}

function isNewer(record: RecordPlace, other: RecordPlace): boolean {
  return record.height > other.height || (record.height === other.height && record.position > other.position)
}
