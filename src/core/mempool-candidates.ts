/**
 * What the mempool offers for a block: the best first, each sender's in the order of their nonces. Knows no rule of admission.
 * Spec: docs/spec/chain.md §9.
 * @module
 */
import { compareEntries, type Entry, type Ranks } from './mempool-ranks.ts'
import { sortedList } from './sorted-list.ts'
import { getAccount } from './state/accounts.ts'
import type { ReadState } from './state/state.ts'
import type { OpenTransaction } from './transaction/check.ts'

/** What is known of the proofs in a transaction: `bad` ones are so in every state. */
export type Proof = 'good' | 'bad' | 'unknown'

/**
 * Of those that are next of their sender, and of those whose predecessor was taken, the better one; the pool may grow meanwhile.
 * `prove` looks at proofs that nobody has looked at.
 */
export function* candidatesOf(
  state: ReadState,
  ranks: Ranks,
  prove: (entry: Entry) => Proof,
): Generator<OpenTransaction, void, boolean> {
  const firsts = firstsOf(state, [...ranks.best])
  // Worst first, so that the best is taken from the end.
  const following = sortedList<Entry>([], (left, right) => compareEntries(right, left))
  let first = firsts.next().value
  for (;;) {
    const later = following.items.at(-1)
    const isFirst = first !== undefined && (later === undefined || compareEntries(first, later) < 0)
    const best = isFirst ? first : following.pop()
    if (best === undefined) return
    if (isFirst) first = firsts.next().value
    const { sender, nonce, id } = best.transaction
    // Replaced or pushed out since.
    if (ranks.get(id) !== best) continue
    const proof = prove(best)
    if (proof === 'bad') ranks.remove(best)
    const wasTaken = proof === 'good' && (yield best)
    const next = wasTaken ? ranks.at(sender, nonce + 1n) : undefined
    if (next !== undefined && next.tip >= 0n) following.add(next)
  }
}

/** Those that are the next of their sender and can be in a block, in the order given, which is that of tips. */
function* firstsOf(state: ReadState, entries: readonly Entry[]): Generator<Entry, undefined, void> {
  for (const entry of entries) {
    if (entry.tip < 0n) return
    if (entry.transaction.nonce === getAccount(state, entry.transaction.sender).nonce) yield entry
  }
}
