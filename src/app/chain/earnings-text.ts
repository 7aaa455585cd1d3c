/**
 * Earnings for people. Spec: docs/spec/cli.md §12.
 * @module
 */
import { type Cell, table } from '../table.ts'
import type { SettledLotView, SettlementView } from './earnings-access.ts'
import type { EarningsLine } from './earnings-lines.ts'
import type { UnsettledLot } from './earnings-now.ts'
import type { EarningsView, MinerEarnings } from './earnings-report.ts'
import type { EarningsSum } from './earnings-sums.ts'
import { ageText, count, labelled, lotText, money, timeText, wrapped } from './text-parts.ts'

/** Who was paid what, when a lease ended. */
export function settlementText(settlement: SettlementView): string {
  const { lease, model, payer, height, timeMs, charge, treasury, stakers, burnt, refund, lots } = settlement
  const heading = labelled([
    ['Lease', lease],
    ['Model', model],
    ['Payer', payer],
    ['Status', `settled in block ${height}, ${timeText(timeMs)}`],
    ['Charged', money(charge)],
    ['Miners', money(lots.reduce((sum, { pay }) => sum + BigInt(pay), 0n))],
    ['Treasury', money(treasury)],
    ['Stakers', money(stakers)],
    ['Burnt', money(burnt)],
    ['Returned', money(refund)],
  ])
  return `${heading}\n${lots.map(settledLotText).join('')}`
}

function settledLotText(lot: SettledLotView, index: number): string {
  const { state, units, pay, operator, payout } = lot
  const paid = state === 'claimed' ? `${money(pay)} for ${units} CU` : `nothing: it was ${state}`
  const lines = [paid, `miner    ${operator}`, ...(payout === operator ? [] : [`paid to  ${payout}`])]
  return lotText(index, lot, lines)
}

/** `sinceText`: what people typed for the beginning; undefined: all that the node knows. */
export function earningsText(
  view: EarningsView,
  { nowMs, sinceText }: { readonly nowMs: number; readonly sinceText: string | undefined },
): string {
  const { none, miners, models, entries, more, lots } = view
  const parts = [
    none === undefined ? '' : `${wrapped(`Nothing came in yet. ${none.message}`)}\n`,
    miners.length === 0 && none !== undefined ? '' : headText(view, sinceText),
    ...(miners.length === 0 ? [] : [`Miners\n${miners.map((miner) => minerText(miner, nowMs)).join('')}`]),
    ...(models.length === 0 ? [] : [`Models\n${modelsText(view)}`]),
    ...(lots.length === 0 ? [] : [`Not settled\n${lotsText(lots)}`]),
    ...(entries.length === 0 ? [] : [`Newest first\n${entries.map(entryText).join('')}`]),
  ]
  const moreText = more ? '… and more; --limit shows them, --csv all.\n' : ''
  return parts.filter((part) => part !== '').join('\n') + moreText
}

function headText(view: EarningsView, sinceText: string | undefined): string {
  const { today, week, total, since, isWhole, claimed, promised, deposit, locked, workValue } = view
  const beginning = sinceText ?? `block ${since}`
  const free = BigInt(deposit) - BigInt(locked)
  return labelled([
    ['Today', sumText(today)],
    ['7 days', sumText(week)],
    ['Total', `${sumText(total)}\n${isWhole ? `since ${beginning}` : 'of the newest entries; there are more'}`],
    ...(total.lost === '0' ? [] : [['Lost', `${money(total.lost)} of deposits`] as const]),
    ['Claimable', claimableText(claimed, promised).replace(': ', '\n')],
    ['Work pay', `${money(workValue)} at most for work of this epoch, at its end`],
    ['Deposit', `${money(deposit)}\n${money(locked)} locked, ${money(free)} free`],
    ['Audits', `${total.auditsPassed} passed, ${total.auditsFailed} failed`],
    ['At block', String(view.height)],
  ])
}

function sumText({ earned, lots, units }: EarningsSum): string {
  return lots === 0 ? money(earned) : `${money(earned)}, ${count(lots, 'lot')} with ${units} CU`
}

function claimableText(claimed: string, promised: string): string {
  const sum = money(BigInt(claimed) + BigInt(promised))
  if (promised === '0') return claimed === '0' ? sum : `${sum}, claimed`
  return `${sum}: ${money(claimed)} claimed, ${money(promised)} not yet`
}

function minerText(miner: MinerEarnings, nowMs: number): string {
  const { address, name, device, status, total, openLots, note } = miner
  const lines = [
    address,
    `${money(total.earned)}, ${count(total.lots, 'lot')}; ${count(openLots, 'lot')} open`,
    ...(note === undefined ? [] : [wrapped(`${note.text} (${ageText(note.timeMs, nowMs)})`, 2)]),
  ]
  const title = name === undefined ? device : `${name}, ${device}`
  return `${title}${status === 'active' ? '' : `, ${status}`}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function modelsText({ models }: EarningsView): string {
  const rows = models.map(({ name, total }): Readonly<Record<string, Cell>> => {
    return { earned: money(total.earned), lots: total.lots, cu: total.units, name: name ?? '' }
  })
  const [heading = '', ...lines] = table(rows).trimEnd().split('\n')
  return [heading, ...lines.flatMap((line, index) => [line, `  ${models[index]!.model}`])].join('\n').concat('\n')
}

function lotsText(lots: readonly UnsettledLot[]): string {
  return lots
    .map(({ status, untilHeight, claimed, promised, lease }) => {
      const until = untilHeight === undefined ? 'waits for audits' : `${status} until block ${untilHeight}`
      return `${wrapped(`${until}, ${claimableText(claimed, promised)}`, 2)}\n  ${lease}\n`
    })
    .join('')
}

function entryText(line: EarningsLine): string {
  const { timeMs, grains, lease } = line
  const amount = grains.startsWith('-') ? `−${money(grains.slice(1))}` : money(grains)
  const below = lease === undefined ? '' : `  ${lease}\n`
  return `${timeText(timeMs)}  ${wrapped(`${amount}  ${whatText(line)}`, TIME_COLUMNS)}\n${below}`
}

/** Of a time and the space behind it. */
const TIME_COLUMNS = 25

function whatText({ type, result, lot = 0, units = '0', value = '0' }: EarningsLine): string {
  switch (type) {
    case 'settled':
      return result === 'claimed' ? `lot ${lot + 1}, ${units} CU` : `lot ${lot + 1} was ${result}`
    case 'audit':
      return result === 'pass' ? `audit passed, ${units} CU` : 'audit without result'
    case 'auditor':
      return result === 'right' ? `audited, ${money(value)} at most` : 'audited, without result'
    case 'work':
      return `audited work of ${result}`
    case 'slashed':
      return result === 'auditor' ? 'stake of an audit' : `audit failed: ${result}`
  }
}
