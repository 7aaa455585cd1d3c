/**
 * What the market did at the end of a block, for who keeps an account of it: the state forgets it. Follows from the state before and after,
 * changes nothing, and no root depends on it. Spec: docs/spec/market.md §11.
 * @module
 */
import type { EndedAudit } from './audits.ts'
import type { Settlement } from './settle.ts'
import type { WorkPay } from './work-issuance.ts'

export type MarketEvent =
  | ({ readonly type: 'settled' } & Settlement)
  | ({ readonly type: 'audited' } & EndedAudit)
  | ({ readonly type: 'issued' } & WorkPay)
