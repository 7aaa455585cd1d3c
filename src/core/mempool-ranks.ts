/**
 * The shelves of the mempool: every waiting transaction by id, by sender and nonce, and by what it pays. Keeps the three alike;
 * knows no rule of admission. Spec: docs/spec/chain.md §9.
 * @module
 */

import { assert } from '../base/assert.ts'
import { lesser } from '../base/bigint.ts'
import type { AccountId, Hash } from '../base/brand.ts'
import { type SortedList, sortedList } from './sorted-list.ts'
import type { OpenTransaction } from './transaction/check.ts'

export interface Entry extends OpenTransaction {
  /** Order of coming. */
  readonly arrival: number
  /** Of the block that was to come then. */
  readonly height: number
  /** Grains per unit for the proposer at the latest base fee; below 0: the next block cannot have it. */
  tip: bigint
  /** Whether the proofs in its body were checked; true when it has none. */
  isProven: boolean
}

export interface Ranks {
  readonly size: number
  /** Of the encoded transactions. */
  readonly byteLength: number
  /** In the order of coming. */
  readonly entries: Iterable<Entry>
  /** Best tip first; changes with every call of the others. */
  readonly best: readonly Entry[]
  get(id: Hash): Entry | undefined
  at(sender: AccountId, nonce: bigint): Entry | undefined
  /** By nonce. */
  queueOf(sender: AccountId): readonly Entry[]
  /** Cheapest first. */
  cheapest(): Iterable<Entry>
  insert(entry: Entry): void
  remove(entry: Entry): void
  /** The same for many: after a block it is thousands. */
  removeAll(entries: ReadonlySet<Entry>): void
  /** To be called when the base fee has changed. */
  reprice(baseFee: bigint): void
}

/** Best tip first, then who came first. */
export function compareEntries(left: Entry, right: Entry): number {
  if (left.tip !== right.tip) return left.tip > right.tip ? -1 : 1
  return left.arrival - right.arrival
}

/** min(tip, maxFee − baseFee), grains per unit: docs/spec/chain.md §3. */
export function tipAt({ transaction: { tip, maxFee } }: OpenTransaction, baseFee: bigint): bigint {
  const rest = maxFee - baseFee
  return lesser(tip, rest)
}

export function createRanks(): Ranks {
  const byId = new Map<Hash, Entry>()
  const queues = new Map<AccountId, Map<bigint, Entry>>()
  const ranked: SortedList<Entry> = sortedList<Entry>([], compareEntries)
  let byteLength = 0
  const unlink = (entry: Entry): void => {
    const { id, sender, nonce } = entry.transaction
    const queue = queues.get(sender)
    assert(queue?.get(nonce) === entry, 'what is removed is there')
    queue.delete(nonce)
    if (queue.size === 0) queues.delete(sender)
    byId.delete(id)
    byteLength -= entry.transaction.byteLength
  }
  return {
    get size() {
      return byId.size
    },
    get byteLength() {
      return byteLength
    },
    entries: { [Symbol.iterator]: () => byId.values() },
    best: ranked.items,
    get: (id) => byId.get(id),
    at: (sender, nonce) => queues.get(sender)?.get(nonce),
    queueOf(sender) {
      const queue = queues.get(sender)
      if (queue === undefined) return NOTHING
      return queue.size === 1 ? [...queue.values()] : [...queue.values()].sort(compareNonces)
    },
    *cheapest() {
      for (let at = ranked.items.length - 1; at >= 0; at--) yield ranked.items[at]!
    },
    insert(entry) {
      const { id, sender, nonce } = entry.transaction
      const queue = queues.get(sender) ?? new Map<bigint, Entry>()
      assert(!queue.has(nonce), 'a nonce has one transaction')
      queues.set(sender, queue.set(nonce, entry))
      byId.set(id, entry)
      byteLength += entry.transaction.byteLength
      ranked.add(entry)
    },
    remove(entry) {
      unlink(entry)
      ranked.remove(entry)
    },
    removeAll(entries) {
      for (const entry of entries) unlink(entry)
      if (entries.size > 0) ranked.removeAll(entries)
    },
    reprice(baseFee) {
      for (const entry of ranked.items) entry.tip = tipAt(entry, baseFee)
      ranked.sort()
    },
  }
}

/** Asked after each block for every account that it changed, most of which wait for nothing. */
const NOTHING: readonly Entry[] = []

function compareNonces(left: Entry, right: Entry): number {
  return left.transaction.nonce < right.transaction.nonce ? -1 : 1
}
