/**
 * Blocks and transactions for people. Spec: docs/spec/cli.md §5.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { BlockView, TransactionView } from './chain-access.ts'
import { tellMarket } from './market-words.ts'
import { ageText, count, labelled, money, percent, type Told, timeText } from './text-parts.ts'

/** Transactions of a block that people are shown; `--json` has them all. */
const SHOWN_MAX = 20

/** Whose history it is, and the time of asking. */
export interface Viewpoint {
  readonly address?: string | undefined
  readonly nowMs: number
}

export function transactionText(view: TransactionView, { nowMs }: Viewpoint): string {
  const { title, details } = tell(view, undefined)
  const { id, type, sender, nonce, maxFee, tip, fee, height, timeMs } = view
  const where =
    height === undefined || timeMs === undefined
      ? 'waits for a block'
      : `${height}, ${timeText(timeMs)}, ${ageText(timeMs, nowMs)}`
  return labelled([
    ['Transaction', id],
    ['Type', type],
    ['From', sender],
    ['Does', [title, ...details].join('\n')],
    ['Block', where],
    ['Fee', `${fee === undefined ? 'not yet paid' : money(fee)} (at most ${maxFee} per unit, tip ${tip})`],
    ['Nonce', nonce],
  ])
}

/** Newest first, as a node gives it. */
export function historyText(views: readonly TransactionView[], viewpoint: Viewpoint): string {
  const { address, nowMs } = viewpoint
  const placeOf = ({ height, timeMs }: TransactionView): string[] =>
    height === undefined || timeMs === undefined ? ['waits'] : [`#${height}`, ageText(timeMs, nowMs)]
  return views.map((view) => entryText(view, placeOf(view), address)).join('')
}

export function blockText(block: BlockView, { nowMs }: Viewpoint): string {
  const { transactions, commit, round } = block
  const signed = percent(commit.signedStake, commit.totalStake)
  const stake = commit.totalStake === '0' ? 'of validators no longer known' : `by ${signed} of the stake`
  const heading = labelled([
    ['Block', String(block.height)],
    ['Hash', block.hash],
    ['Parent', block.parentHash],
    ['State root', block.stateRoot],
    ['Time', `${timeText(block.timeMs)}, ${ageText(block.timeMs, nowMs)}`],
    ['Proposer', `${block.proposer}${round > 0 ? `, round ${round}` : ''}`],
    ['Signed', `${stake}${commit.round === round ? '' : `, in round ${commit.round}`}`],
    ['Size', `${block.bytes} bytes, ${count(block.units, 'unit')} at base fee ${block.baseFee}`],
    ['Holds', transactions.length === 0 ? 'no transactions' : count(transactions.length, 'transaction')],
  ])
  const shown = transactions.slice(0, SHOWN_MAX).map((view) => entryText(view, []))
  const rest = transactions.length - shown.length
  return [heading, ...shown, ...(rest > 0 ? [`… and ${rest} more; --json lists them all.\n`] : [])].join('')
}

/** `place`: where it stands, for the first line; `address`: whose history this is. */
function entryText(view: TransactionView, place: readonly string[], address?: string): string {
  const { title, details } = tell(view, address)
  const { fee, sender } = view
  const from = address === undefined ? [`by ${sender}`] : []
  const isPayer = address === undefined || address === sender
  const paid = fee === undefined || !isPayer ? [] : [`fee ${money(fee)}`]
  const lines = [...from, ...details, ...paid, `id ${view.id}`]
  return `${[...place, title].join('  ')}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

/** In the words of who looks at it: what came to `address` was received. */
function tell({ type, body, sender }: TransactionView, address: string | undefined): Told {
  const text = (name: string): string => String(body[name] ?? '')
  switch (type) {
    case 'transfer': {
      const isReceived = address !== undefined && sender !== address
      const details = [isReceived ? `from ${sender}` : `to ${text('to')}`, ...memoLines(text('memo'))]
      return { title: `${isReceived ? 'received' : 'sent'} ${money(text('amount'))}`, details }
    }
    case 'bond':
      return { title: `bonded ${money(text('amount'))}`, details: [`to ${text('validator')}`] }
    case 'unbond':
      return { title: `unbonded ${money(text('amount'))}`, details: [`from ${text('validator')}`] }
    case 'register-validator':
      return { title: `registered the validator ${text('name')}`, details: [] }
    case 'report-double-sign':
      return {
        title: `reported a double sign at block ${text('height')}`,
        details: ['of the key', text('consensusKey')],
      }
    case 'propose-parameters':
      return { title: 'proposed to change parameters', details: changeLines(body['changes']) }
    case 'vote-parameters':
      return { title: `voted ${body['yes'] === true ? 'yes' : 'no'} on proposal ${text('proposal')}`, details: [] }
    default:
      return tellMarket(type, body) ?? { title: type, details: [] }
  }
}

function changeLines(changes: unknown): string[] {
  if (!Array.isArray(changes)) return []
  return changes.map((change: { readonly name: string; readonly value: string }) => `${change.name} = ${change.value}`)
}

/** A memo comes from a stranger: what could move the cursor, or is no text, is shown as hexadecimal digits, cut to a line. */
function memoLines(hex: string): string[] {
  if (hex === '') return []
  const bytes = hexToBytes(hex)
  const text = new TextDecoder().decode(bytes)
  const isPlain = !/[\p{C}\p{Zl}\p{Zp}\uFFFD]/u.test(text)
  const shown = isPlain ? `“${text}”` : `0x${hex}`
  // What is left of 80 columns beside the labels.
  return [...shown.matchAll(/.{1,62}/gu)].map(([line], index) => `${index === 0 ? 'memo ' : '     '}${line}`)
}
