/**
 * Transactions that were handed in here behind others of their senders. Others are told of a transaction once its proof was looked at, which is when it
 * is the next of its sender; by then nobody hands it in as new. Who makes blocks
 * would have to ask for it, some seconds later, and what comes after it would wait.
 * Spec: docs/spec/chain.md §9.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import type { Log } from '../../base/ports.ts'
import type { Chain } from '../../core/chain.ts'
import { encodeTransaction } from '../../core/transaction/transaction.ts'
import type { Wire } from '../../net/wire.ts'
import { TOPICS } from './topics.ts'

export interface LateNews {
  /** Is in the mempool, unproven. */
  hold(id: Hash): void
  /** After each block: tells of those that are proven by now. */
  tell(): void
}

export function createLateNews(parts: { readonly chain: Chain; readonly wire: Wire; readonly log: Log }): LateNews {
  const { chain, wire, log } = parts
  /** As many as the mempool holds. */
  const untold = new Set<Hash>()
  return {
    hold: (id) => void untold.add(id),
    tell() {
      for (const id of untold) {
        const waiting = chain.mempool.get(id)
        if (waiting?.isProven === false) continue
        untold.delete(id)
        if (waiting === undefined) continue
        wire.publish(TOPICS.transaction, encodeTransaction(waiting.transaction)).catch((error: unknown) => {
          log.write('warn', 'chain.untold', { reason: messageOf(error) })
        })
      }
    },
  }
}
