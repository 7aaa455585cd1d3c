/**
 * The chain of a network in a few lines, for commands about something else: what is not there is said, and is no failure.
 * Spec: docs/spec/cli.md §5, §8.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import type { HeadView, NodeStatusView } from './chain-access.ts'
import { type ChainToOpen, openChain } from './open-chain.ts'
import { ageText, count, labelled, timeText, wrapped } from './text-parts.ts'

/** The newest block and, where a full node on this machine told it, that node; or why there is none. */
export type ChainStatus =
  | { readonly type: 'head'; readonly head: HeadView; readonly node?: NodeStatusView }
  | { readonly type: 'none'; readonly code: string; readonly message: string }

export async function findChainStatus(toOpen: ChainToOpen): Promise<ChainStatus> {
  const { signal } = toOpen
  try {
    const chain = await openChain(toOpen)
    try {
      const [head, node] = await Promise.all([chain.head(signal), chain.nodeStatus?.(signal)])
      return { type: 'head', head, ...(node === undefined ? {} : { node }) }
    } finally {
      await chain.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof HouseError)) throw error
    return { type: 'none', code: error.code, message: error.message }
  }
}

/** After so long without a block, a person wants to know what the validators are at. */
const QUIET_MS = 10_000

/** `nowMs`: Unix time. */
export function chainStatusText(status: ChainStatus, nowMs: number): string {
  if (status.type === 'none') return `Chain       ${wrapped(status.message, 12)}\n`
  const { head, node } = status
  const isQuiet = nowMs - head.timeMs > QUIET_MS && head.height > 0
  const since = isQuiet ? [['', `no block has become final since ${timeText(head.timeMs)}`] as const] : []
  return labelled([
    ['Chain', `block ${head.height}, final ${ageText(head.timeMs, nowMs)}, epoch ${head.epoch}`],
    ...since,
    ...(node === undefined ? [] : [['Deciding', decidingText(node)] as const]),
    ['Validators', String(head.validators)],
    ...(node === undefined
      ? [['Known from', 'a light client, which proves what nodes of the network tell'] as const]
      : [['This node', nodeText(node)] as const]),
  ])
}

/** The chain in one line, below a trace. */
export function chainLine(status: ChainStatus, nowMs: number): string {
  if (status.type === 'none') return `Chain     ${wrapped(status.message, 10)}`
  const { height, validators, timeMs, source } = status.head
  const known = source === 'node' ? 'the full node on this machine' : 'a light client'
  return `Chain     block ${height}, ${ageText(timeMs, nowMs)}, ${count(validators, 'validator')}, known from ${known}`
}

function decidingText({ consensus: { height, round, step }, syncing, waiting }: NodeStatusView): string {
  const waits = waiting === 0 ? '' : `; ${count(waiting, 'transaction')} waiting`
  if (syncing) return `catching up with the others${waits}`
  return `block ${height}, round ${round}, ${step}${waits}`
}

/** What a node on this machine is to the chain. */
function nodeText({ nodeName, peers, validator }: NodeStatusView): string {
  const role = validator === undefined ? 'follows the chain without a vote' : `votes for the validator\n${validator}`
  return `${nodeName}, ${count(peers, 'peer')}, ${role}`
}
