/**
 * What a chat tells people and programs about its money: the lease that is opened, a cap that is nearly used, what an answer has cost.
 * Spec: docs/spec/cli.md §11.
 * @module
 */
import { grains, type Hash } from '../../base/brand.ts'
import { formatDllm } from '../../core/units.ts'
import type { PaymentNews } from '../market/client-payments.ts'
import type { ChatRun } from './run-chat.ts'

export interface PaymentNotes {
  readonly say: (news: PaymentNews) => void
  /** For what takes a moment. */
  readonly note: (text: string) => void
}

/** `isQuiet`: people are told only when they want a trace, and nothing that went wrong otherwise. */
export function createPaymentNotes(
  { note, emit, flags, system }: Pick<ChatRun, 'note' | 'emit' | 'flags' | 'system'>,
  { isQuiet }: { readonly isQuiet: boolean },
): PaymentNotes {
  const aside = (text: string): void => {
    if (flags.trace) note(text)
  }
  const told = isQuiet ? aside : note
  const say = (news: PaymentNews): void => {
    if (news.type === 'opened') told(openedText(news))
    if (news.type === 'used') aside(`Lease ${shortId(news.lease.id)}: ${dllm(news.left)} of it are left.`)
    if (news.type === 'low') note(`\nFour fifths of the lease are used: ${dllm(news.used)} of ${dllm(news.cap)}.`)
    if (news.type === 'free' && news.why !== undefined) {
      system.log.write('info', 'chat.no_lease', { code: news.why.code, why: news.why.message })
      const isOwn = news.why.code === 'CHAT_NO_LEASE'
      ;(isOwn ? aside : told)(`No lease: ${news.why.message} Asking miners that serve for nothing.`)
    }
    if (news.type === 'opened' || news.type === 'used') emit(eventOf(news))
  }
  return { say, note: told }
}

function openedText({ lease, balance, hundred }: Extract<PaymentNews, { type: 'opened' }>): string {
  const { id, cap, terms } = lease
  return (
    `Lease ${shortId(id)} opened: up to ${dllm(cap)} set aside at ${terms.price} grains per CU ` +
    `(about ${dllm(hundred)} per 100 tokens), balance ${dllm(balance)}.`
  )
}

function eventOf(news: Extract<PaymentNews, { type: 'opened' | 'used' }>): object {
  const { id, cap, terms } = news.lease
  const more = news.type === 'opened' ? { opened: true, balance: news.balance } : { opened: false, left: news.left }
  return { type: 'lease', lease: id, price: terms.price, cap, ...more }
}

/** What the answer has cost, for `--trace`. */
export function costText(cost: bigint, lease: Hash): string {
  return `Paid ${dllm(cost)} of lease ${shortId(lease)}.`
}

/** Enough to tell leases apart; `lease list` has whole ones. */
function shortId(id: Hash): string {
  return `${id.slice(0, 8)}…`
}

function dllm(amount: bigint): string {
  return `${formatDllm(grains(amount))} DLLM`
}
