/**
 * Waiting for the block of a transaction that was sent: until it is final, the person goes, or too much time has passed. Where
 * no block becomes final at all, that is told. Spec: docs/spec/cli.md §6.
 * @module
 */
import { type Hash, type Milliseconds, milliseconds } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { TransactionError } from '../../core/transaction/contract.ts'
import { withDeadline } from '../../net/deadline.ts'
import { NodeError } from '../control/control-errors.ts'
import { PeerRefusal } from '../node/ask.ts'
import type { ChainAccess, HeadView, TransactionView } from './chain-access.ts'
import { ageText, timeText, wrapped } from './text-parts.ts'

export class WaitError extends HouseError<'CHAIN_STILL_WAITING'> {}

export interface BlockWait {
  readonly chain: ChainAccess
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told once, when no block becomes final; `head`: the newest one that did. */
  readonly onStalled: (head: HeadView) => void
}

/** What was handed in. */
export interface SentTransaction {
  readonly id: Hash
  readonly bytes: Uint8Array
}

/** Between two times that a transaction is handed in. */
const AGAIN_MS = milliseconds(4_000)
/** Between two looks at the head. */
const LOOK_MS = milliseconds(2_000)
/** Beyond the pause between two blocks: a round or two may fail before something is wrong. */
const STALLED_MS = 8_000

/** @throws WaitError CHAIN_STILL_WAITING after NODE_LIMITS.waitMs; what the chain refuses it with where others came first and it fits no more. */
export async function waitForBlock({ id, bytes }: SentTransaction, wait: BlockWait): Promise<TransactionView> {
  const { clock, signal } = wait
  let stalledAt: HeadView | undefined
  const onStalled = (head: HeadView): void => {
    stalledAt = head
    wait.onStalled(head)
  }
  const watching = new AbortController()
  // What goes wrong with these questions goes wrong with the waiting too, which tells it.
  const watched = tellStall({ ...wait, onStalled, signal: watching.signal }).catch(() => undefined)
  const late = (): WaitError => stillWaiting(id, stalledAt)
  const limitMs = NODE_LIMITS.waitMs as Milliseconds
  try {
    return await withDeadline({ clock, limitMs, late, signal }, (either) => {
      const refused = hearRefusal(bytes, { ...wait, signal: AbortSignal.any([either, watching.signal]) })
      return Promise.race([untilIncluded({ id, bytes }, { ...wait, signal: either }), refused])
    })
  } finally {
    watching.abort()
    await watched
  }
}

async function untilIncluded({ id, bytes }: SentTransaction, { chain, signal }: BlockWait): Promise<TransactionView> {
  for (;;) {
    try {
      return await chain.waitFor(id, signal)
    } catch (error) {
      if (codeOf(error) !== 'CHAIN_TRANSACTION_UNKNOWN') throw error
      // It has left the mempool: handed in again, it is told why, or waits once more.
      await chain.submit(bytes, signal).catch((again: unknown) => {
        throw isRefusal(again) ? again : error
      })
    }
  }
}

/** A light client is not told that a transaction was thrown away, so it is handed in again now and then. Rejects with what the chain says then. */
async function hearRefusal(bytes: Uint8Array, { chain, clock, signal }: BlockWait): Promise<never> {
  for (;;) {
    await clock.sleep(AGAIN_MS, signal)
    await chain.submit(bytes, signal).catch((error: unknown) => {
      if (isRefusal(error)) throw error
    })
  }
}

/** Of the transaction itself. While it waits, or when it is in a block, nodes refuse to have it twice. */
function isRefusal(error: unknown): boolean {
  const isOfChain = error instanceof TransactionError || error instanceof NodeError || error instanceof PeerRefusal
  return isOfChain && error.code !== 'NONCE_TOO_LOW' && !error.code.startsWith('MEMPOOL_')
}

/** Resolves when it was told. */
async function tellStall({ chain, clock, signal, onStalled }: BlockWait): Promise<void> {
  const { values } = await chain.parameters(signal)
  const stalledMs = STALLED_MS + Number(values.commitMs)
  let head = await chain.head(signal)
  let newSinceMs = clock.now()
  while (clock.now() - newSinceMs < stalledMs) {
    await clock.sleep(LOOK_MS, signal)
    const found = await chain.head(signal)
    if (found.height > head.height) newSinceMs = clock.now()
    head = found
  }
  onStalled(head)
}

export interface Stalled {
  readonly head: HeadView
  /** Unix time. */
  readonly nowMs: number
  /** What was sent, in a few words. */
  readonly title: string
  /** The command that shows it. */
  readonly look: string
}

/** For the person who waits. */
export function stalledText({ head, nowMs, title, look }: Stalled): string {
  const { height, timeMs } = head
  const told = wrapped(
    `No block has become final since ${timeText(timeMs)} (block ${height}, ${ageText(timeMs, nowMs)}): ` +
      `too few of the validators vote, or they cannot be reached. What was sent (${title}) waits for them. ` +
      'It is safe to press Ctrl-C: that ends only this waiting. To look later:',
  )
  return `${told}\n  ${look}`
}

function stillWaiting(id: Hash, stalledAt: HeadView | undefined): WaitError {
  const seconds = NODE_LIMITS.waitMs / 1_000
  const look = `look with \`dllm chain tx ${id}\``
  const message =
    stalledAt === undefined
      ? `The transaction was sent and is in no block after ${seconds} s. It still waits: ${look}, or send it again with --nonce and a higher --tip and --max-fee.`
      : `The transaction was sent, and no block has become final since ${timeText(stalledAt.timeMs)}. It waits until enough validators vote again: ${look}; \`dllm chain validators\` shows who should vote.`
  return new WaitError('CHAIN_STILL_WAITING', message, { details: { id } })
}
