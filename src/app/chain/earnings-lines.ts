/**
 * What records of the market mean for some miners: a line per thing that brought or cost them something. Pure.
 * Spec: docs/spec/cli.md §12.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { EndedAuditView, HeardAuditorView, MarketRecordView, SettlementView } from './earnings-access.ts'

export type EarningsType =
  /** A lot of a lease that was settled. */
  | 'settled'
  /** A lot was audited and not found at fault. */
  | 'audit'
  /** It audited another's. */
  | 'auditor'
  /** New grains for audited work, at the end of an epoch. */
  | 'work'
  /** A part of its deposit is gone. */
  | 'slashed'

export interface EarningsLine {
  readonly height: number
  /** Unix time. */
  readonly timeMs: number
  readonly type: EarningsType
  /** Of a lot its state, of an audit its result, of a slash its reason, of an auditor its verdict, of work the epoch. */
  readonly result: string
  /** Addresses: who worked, and who was paid. */
  readonly miner: string
  readonly payout: string
  readonly model?: Hash
  readonly lease?: Hash
  readonly lot?: number
  readonly window?: number
  /** Compute units: paid, or credited by an audit. */
  readonly units?: string
  /** Work value that it brought, which is issued at the end of the epoch; grains. */
  readonly value?: string
  /** Grains that came, or, negative, that went. */
  readonly grains: string
}

type IsOurs = (owner: { readonly operator: string; readonly payout: string }) => boolean

/** Of these addresses, operators or payout accounts. In the order of the records. */
export function linesOf(records: readonly MarketRecordView[], accounts: ReadonlySet<string>): EarningsLine[] {
  const isOurs: IsOurs = ({ operator, payout }) => accounts.has(operator) || accounts.has(payout)
  return records.flatMap((record) => recordLines(record, isOurs))
}

function recordLines(record: MarketRecordView, isOurs: IsOurs): EarningsLine[] {
  switch (record.type) {
    case 'settled':
      return lotLines(record, isOurs)
    case 'audited': {
      const heard = record.auditors.filter(isOurs).map((auditor) => auditorLine(record, auditor))
      return isOurs(record) ? [auditLine(record), ...heard] : heard
    }
    case 'issued': {
      const { height, timeMs, epoch, operator: miner, payout, value, pay: grains } = record
      const result = `epoch ${epoch}`
      return isOurs(record) ? [{ height, timeMs, type: 'work', result, miner, payout, value, grains }] : []
    }
  }
}

function lotLines({ height, timeMs, lease, model, lots }: SettlementView, isOurs: IsOurs): EarningsLine[] {
  return lots.flatMap((settled, lot) => {
    if (!isOurs(settled)) return []
    const { operator: miner, payout, state: result, units, pay: grains } = settled
    return [{ height, timeMs, type: 'settled' as const, result, miner, payout, model, lease, lot, units, grains }]
  })
}

function auditLine(audit: EndedAuditView): EarningsLine {
  const { height, timeMs, operator: miner, payout, model, lease, lot, window } = audit
  const place = { height, timeMs, miner, payout, model, lease, lot, window }
  if (audit.result === 'fault') {
    return { ...place, type: 'slashed', result: audit.reason ?? 'fault', grains: negative(audit.slashed ?? '0') }
  }
  const { result, units, value } = audit
  const credited = units === undefined || value === undefined ? {} : { units, value }
  return { ...place, type: 'audit', result, ...credited, grains: '0' }
}

function auditorLine(audit: EndedAuditView, auditor: HeardAuditorView): EarningsLine {
  const { height, timeMs, model, lease, lot, window } = audit
  const { operator: miner, payout, verdict, grains } = auditor
  const place = { height, timeMs, miner, payout, model, lease, lot, window }
  if (verdict === 'wrong') return { ...place, type: 'slashed', result: 'auditor', grains: negative(grains) }
  if (audit.result === 'fault') return { ...place, type: 'auditor', result: verdict, grains }
  return { ...place, type: 'auditor', result: verdict, value: grains, grains: '0' }
}

function negative(grains: string): string {
  return grains === '0' ? grains : `-${grains}`
}
