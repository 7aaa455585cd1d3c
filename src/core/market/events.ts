/**
 * What the market did at the end of a block, for who keeps an account of it: the state forgets it. Follows from the state before and after,
 * changes nothing, and no root depends on it. Spec: docs/spec/market.md §11.
 * @module
 */
import type { EndedAudit } from './audits.ts'
import type { ModelChange } from './model-life.ts'
import type { Settlement } from './settle.ts'
import type { WorkPay } from './work-issuance.ts'

/** What was paid, to whom and why: a full node keeps these. */
export type PayEvent =
  | ({ readonly type: 'settled' } & Settlement)
  | ({ readonly type: 'audited' } & EndedAudit)
  | ({ readonly type: 'issued' } & WorkPay)

/** Where a model is in its life stands in its record: nobody needs to keep these. */
export type ModelEvent = { readonly type: 'model' } & ModelChange

export type MarketEvent = PayEvent | ModelEvent

export function isPayEvent(event: MarketEvent): event is PayEvent {
  return event.type !== 'model'
}
