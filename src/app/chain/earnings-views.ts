/**
 * Records of the market as views for commands and JSON. Spec: docs/spec/control.md §11.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { PayEvent } from '../../core/market/events.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { PlacedRecord } from '../node/market-index.ts'
import type { EndedAuditView, MarketRecordView, RecordPlace, SettlementView } from './earnings-access.ts'

type EventOf<Type extends PayEvent['type']> = Extract<PayEvent, { type: Type }>

export function viewRecord({ event, ...record }: PlacedRecord, kind: NetworkKind): MarketRecordView {
  const { height, position, timeMs } = record
  const place = { height, position, timeMs }
  switch (event.type) {
    case 'settled':
      return viewSettlement(event, place, kind)
    case 'audited':
      return viewEndedAudit(event, place, kind)
    case 'issued': {
      const { type, epoch, value, pay } = event
      return { ...place, type, epoch, ...viewOwner(event, kind), value: String(value), pay: String(pay) }
    }
  }
}

function viewSettlement(event: EventOf<'settled'>, place: RecordPlace, kind: NetworkKind): SettlementView {
  const { type, lease, payer, model, lots, charge, treasury, stakers, burnt, refund } = event
  return {
    ...{ ...place, type, lease, payer: addressOfAccount(payer, kind), model },
    lots: lots.map((lot, index) => ({
      ...{ ...viewOwner(lot, kind), first: lots[index - 1]?.end ?? 0, end: lot.end, state: lot.state },
      ...{ units: String(lot.units), pay: String(lot.pay) },
    })),
    ...{ charge: String(charge), treasury: String(treasury), stakers: String(stakers) },
    ...{ burnt: String(burnt), refund: String(refund) },
  }
}

function viewEndedAudit(event: EventOf<'audited'>, place: RecordPlace, kind: NetworkKind): EndedAuditView {
  const { type, lease, lot, window, model, result, auditors } = event
  return {
    ...{ ...place, type, lease, lot, window, model, ...viewOwner(event, kind), ...viewResult(result) },
    auditors: auditors.map((auditor) => {
      const { verdict, grains } = auditor
      return { ...viewOwner(auditor, kind), verdict, grains: String(grains) }
    }),
  }
}

function viewResult(
  result: EventOf<'audited'>['result'],
): Pick<EndedAuditView, 'result' | 'reason' | 'units' | 'value' | 'slashed' | 'rewarded'> {
  switch (result.type) {
    case 'pass':
      return { result: 'pass', units: String(result.units), value: String(result.value) }
    case 'fault': {
      const { reason, slashed, rewarded } = result
      return { result: 'fault', reason, slashed: String(slashed), rewarded: String(rewarded) }
    }
    case 'void':
      return { result: 'void', reason: result.reason }
  }
}

function viewOwner(
  { operator, payout }: { readonly operator: AccountId; readonly payout: AccountId },
  kind: NetworkKind,
): { readonly operator: string; readonly payout: string } {
  return { operator: addressOfAccount(operator, kind), payout: addressOfAccount(payout, kind) }
}
