/**
 * Models, miners, leases and quotes for people. Spec: docs/spec/cli.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { segmentText } from '../chat/trace.ts'
import { type Cell, table } from '../table.ts'
import type { LeaseView, LotView, MinerView, ModelView, PlacementView, QuotedLot, QuoteView } from './market-access.ts'
import { count, labelled, lotText, money, untilHeight } from './text-parts.ts'

type Row = Readonly<Record<string, Cell>>

/** A line of numbers, and the name and the hash below it. */
export function modelsText(models: readonly ModelView[]): string {
  if (models.length === 0) return 'No model is registered on this network.\n'
  const row = ({ status, context, segments, price }: ModelView): Row => ({
    ...{ status, context, segments: segments.length },
    'grains per CU': price,
  })
  return tableAbove(models, row, ({ name, model }) => [name, model])
}

/** `placements`: undefined where nobody can know them all. */
export function modelText(model: ModelView, placements: readonly PlacementView[] | undefined): string {
  const { publisher, deposit, context, price, segments, status } = model
  const served =
    placements === undefined
      ? 'A light client cannot know who serves it. `dllm node` runs a full node.\n'
      : placementsText(placements)
  return `${labelled([
    ['Model', model.model],
    ['Name', model.name],
    ['Status', status],
    ...lifeLines(model),
    ['Price', perUnit(price)],
    ['Segments', String(segments.length)],
    ['Context', count(context, 'position')],
    ['Publisher', publisher],
    ['Deposit', money(deposit)],
  ])}\n${served}`
}

/** Of whom it takes the place and who took its, and what happens when. */
export function lifeLines({
  status,
  predecessor,
  successor,
  canary,
  dueHeight,
}: ModelView): (readonly [string, string])[] {
  return [
    ...(predecessor === undefined ? [] : [['Follows', predecessor] as const]),
    ...(successor === undefined ? [] : [['Successor', successor] as const]),
    ...(canary === undefined ? [] : [['Canary', `${canary.root}\n${count(canary.bytes, 'byte')}`] as const]),
    ...(dueHeight === undefined
      ? []
      : [
          [
            status === 'approved' ? 'Active' : 'Retires',
            `at block ${dueHeight}${status === 'approved' ? ', if it is served' : ''}`,
          ] as const,
        ]),
  ]
}

function placementsText(placements: readonly PlacementView[]): string {
  if (placements.length === 0) return 'Nobody serves it.\n'
  const row = (placement: PlacementView): Row => ({
    segments: segmentText(placement.first, placement.end),
    ...{ slots: placement.slots, used: placement.used, bid: placement.bid },
    until: `block ${placement.until}`,
    status: placement.live ? 'live' : 'not live',
  })
  return tableAbove(placements, row, ({ operator }) => [operator])
}

/** A line of numbers and the whole address below it. */
export function minersText(miners: readonly MinerView[], more: boolean): string {
  if (miners.length === 0) return 'Nobody is a miner on this network.\n'
  const row = ({ status, device, deposit, openLots, workRate }: MinerView): Row => ({
    ...{ status, device, deposit: money(deposit), 'open lots': openLots },
    'CU/s': wholeRate(workRate),
  })
  return tableAbove(miners, row, ({ address }) => [address]) + moreText(more)
}

export function minerText(miner: MinerView): string {
  return labelled([
    ['Miner', miner.address],
    ['Payout', miner.payout],
    ['Peer key', miner.peerKey],
    ['Device', miner.device],
    ['Status', `${miner.status}, since block ${miner.registeredHeight}`],
    [
      'Deposit',
      `${money(miner.deposit)}\n${money(miner.locked)} behind ${count(miner.openLots, 'open lot')} and audits`,
    ],
    ['Audited', count(miner.auditedReceipts, 'receipt')],
    ['Rate', miner.workRate === '0' ? 'not measured yet' : `${wholeRate(miner.workRate)} CU per second`],
    ['Reliability', `${(miner.reliability * 100).toFixed(1)} %`],
    ['Will get', `${money(miner.workValue)} at most for audited work of this epoch`],
  ])
}

export interface LeaseListing {
  readonly more: boolean
  /** Ids of those with which chats of this data folder pay. */
  readonly here: readonly Hash[]
  /** An address. */
  readonly whose: string
}

/** A line of numbers and the whole id below it; `whose`: says what was looked for where there are none. */
export function leasesText(leases: readonly LeaseView[], { more, here, whose }: LeaseListing): string {
  if (leases.length === 0) return `No lease is open or waits to be settled.\n  ${whose}\n${moreText(more)}`
  const row = ({ id, status, cap, lots, expiryHeight, dueHeight }: LeaseView): Row => ({
    ...{ status, cap: money(cap), lots: lots.length },
    until: `block ${status === 'open' ? expiryHeight : dueHeight}`,
    ...(here.length === 0 ? {} : { 'chats here': here.includes(id) ? 'yes' : '' }),
  })
  return tableAbove(leases, row, ({ id }) => [id]) + moreText(more)
}

/** `height`: of the newest block. */
export function leaseText(lease: LeaseView, height: number): string {
  const { counters, terms, openAudits } = lease
  const promised = `voucher ${lease.seq}: ${counters.promptRows} rows of prompts, ${counters.decodeRows} decoded`
  const heading = labelled([
    ['Lease', lease.id],
    ['Model', lease.model],
    ['Payer', lease.payer],
    ['Status', statusText(lease, height)],
    ['Opened', `in block ${lease.openedHeight}`],
    ['Price', perUnit(terms.price)],
    ['Set aside', money(lease.escrow)],
    ['Claimed', `${money(lease.charge)}\n${lease.seq === '0' ? 'no voucher was shown' : promised}`],
    ...(openAudits > 0 ? [['Audits', `${openAudits} not ended`] as const] : []),
    ['Voucher key', lease.voucherKey],
  ])
  const lots = lease.lots.map((lot, index) => {
    const claimed = lot.state === 'claimed' ? `claimed, ${count(lot.rows, 'row')}` : lot.state
    return servedLotText(lot, index, [perUnit(lot.rate), claimed])
  })
  return `${heading}\n${lots.join('')}`
}

export function quoteText(quote: QuoteView): string {
  const heading = labelled([
    ['Model', quote.model],
    ['Price', perUnit(quote.price)],
    ['Work', `${quote.units} CU for ${count(quote.rows, 'decoded row')}`],
    ['Set aside', `${money(quote.escrow)}, the most that so many rows cost`],
    ['For miners', money(quote.miners)],
    ['Treasury', money(quote.treasury)],
    ['Stakers', money(quote.stakers)],
    ['Burnt', money(quote.burnt)],
    ['At block', String(quote.height)],
  ])
  const lots = quote.lots.map((lot, index) => servedLotText(lot, index, [perUnit(lot.rate), money(lot.pay)]))
  return `${heading}\n${lots.join('')}`
}

/** When what happens next. */
function statusText({ status, expiryHeight, dueHeight, openAudits }: LeaseView, height: number): string {
  switch (status) {
    case 'open':
      return `open until block ${expiryHeight} (${untilHeight(expiryHeight, height)})`
    case 'closing':
      return `closed, claims until block ${dueHeight} (${untilHeight(dueHeight, height)})`
    case 'auditing':
      return `waits for ${count(openAudits, 'audit')}`
  }
}

function servedLotText(lot: LotView | QuotedLot, index: number, parts: readonly string[]): string {
  const { operator, standby, task } = lot
  const lines = [
    ...parts,
    `miner    ${operator}`,
    ...(standby === undefined ? [] : [`standby  ${standby}`]),
    `deposit  ${money(task)} of it stand behind the lot`,
  ]
  return lotText(index, lot, lines)
}

function perUnit(price: string): string {
  return `${price} grain${price === '1' ? '' : 's'} per CU`
}

function wholeRate(workRate: string): string {
  return String(BigInt(workRate) >> 16n)
}

function moreText(more: boolean): string {
  return more ? '… and more; --limit shows them.\n' : ''
}

/** A table whose rows have lines of their own below them. */
function tableAbove<Entry>(
  entries: readonly Entry[],
  rowOf: (entry: Entry) => Row,
  below: (entry: Entry) => readonly string[],
): string {
  const [heading = '', ...lines] = table(entries.map(rowOf)).trimEnd().split('\n')
  return [heading, ...lines.flatMap((line, index) => [line, ...below(entries[index]!).map((more) => `  ${more}`)])]
    .join('\n')
    .concat('\n')
}
