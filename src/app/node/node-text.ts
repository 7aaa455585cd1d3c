/**
 * What a node says to the person who started it. Spec: docs/spec/cli.md §7.
 * @module
 */
import { addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { HeadView, NodeStatusView } from '../chain/chain-access.ts'
import type { ReportShortage } from './evidence-report.ts'

/** `hasKey`: whether a validator's key is kept here, voting or not. */
export function headingLines(status: NodeStatusView, hasKey: boolean): string[] {
  const follows = hasKey
    ? 'Follows the chain; votes once its validator is in the set of an epoch.'
    : 'Follows the chain; it has no key that votes.'
  const role = status.validator === undefined ? follows : `Votes for the validator ${status.validator}.`
  return [
    `Node ${status.nodeName} of network ${status.name} (${status.networkId.slice(0, 12)}), block ${status.height}.`,
    role,
    ...status.addresses.map((address) => `Listening on ${address}`),
    'Ctrl-C ends it.',
  ]
}

/** For who runs a validator whose operator account cannot pay for a report. */
export function shortageLines({ account, balance, needed }: ReportShortage, kind: NetworkKind): string[] {
  const address = addressOfAccount(account, kind)
  return [
    `Warning: the account that pays for reports of double signs holds ${dllm(balance)}, and one report takes up to ${dllm(needed)}.`,
    `Without it this node cannot report one: \`dllm wallet send 1 ${address}\`.`,
  ]
}

/** `#1204  3 transactions  1.2 s  abcdef012345`. */
export function blockLine(
  { height, hash, timeMs }: HeadView,
  { transactions, before }: { readonly transactions: number; readonly before: HeadView },
): string {
  const count = `${transactions} ${transactions === 1 ? 'transaction' : 'transactions'}`
  const seconds = ((timeMs - before.timeMs) / (height - before.height) / 1_000).toFixed(1)
  return `#${String(height).padEnd(8)} ${count.padEnd(17)} ${seconds.padStart(5)} s   ${hash.slice(0, 12)}`
}
