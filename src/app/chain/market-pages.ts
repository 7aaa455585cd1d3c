/**
 * Long lists of the market, page by page, up to what somebody wants to see. Spec: docs/spec/control.md §11.
 * @module
 */
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import type { Page, PageWish } from './market-access.ts'

export interface ListPart<Entry> {
  /** Of the last page: those before it may be of older blocks. */
  readonly height: number
  readonly entries: readonly Entry[]
  /** Whether records were left that were not looked at. */
  readonly more: boolean
}

/** The first `limit` entries, at least 1. */
export async function firstEntries<Entry>(
  ask: (wish: PageWish) => Promise<Page<Entry>>,
  limit: number,
): Promise<ListPart<Entry>> {
  const entries: Entry[] = []
  let from: string | undefined
  for (;;) {
    const page = await ask({ from, limit: Math.min(limit - entries.length, NODE_LIMITS.marketPageMax) })
    entries.push(...page.entries)
    from = page.next
    if (from === undefined || entries.length === limit)
      return { height: page.height, entries, more: from !== undefined }
  }
}
