/**
 * Transactions that wait for a block: bounded, best tip first, each sender's in the order of their nonces. What is held is signed
 * and its sender can pay its fee; whether its contract accepts it is known for the first of each sender only, and for all when a
 * block is made. Proofs in bodies are dear: each is checked once, and a bounded number per block. Knows no contract and no network. Spec: docs/spec/chain.md §9.
 * @module
 */
import type { AccountId, Hash } from '../base/brand.ts'
import { MEMPOOL_LIMITS } from '../base/chain-limits.ts'
import { type BadProofs, createBadProofs } from './bad-proofs.ts'
import { candidatesOf, type Proof } from './mempool-candidates.ts'
import { MempoolError } from './mempool-error.ts'
import { createRanks, type Entry, type Ranks, tipAt } from './mempool-ranks.ts'
import { getAccount } from './state/accounts.ts'
import type { ReadState } from './state/state.ts'
import {
  checkSignature,
  checkStanding,
  feeOf,
  inspectBody,
  type OpenTransaction,
  openTransaction,
  type TransactionContext,
} from './transaction/check.ts'
import { TransactionError } from './transaction/contract.ts'
import { decodeTransaction } from './transaction/transaction.ts'

/** The latest state and the block that is to come on it. */
export interface PoolHead {
  readonly state: ReadState
  readonly context: TransactionContext
}

export type MempoolLimits = { readonly [Name in keyof typeof MEMPOOL_LIMITS]: number }

export interface Mempool {
  readonly size: number
  /** Of the encoded transactions. */
  readonly byteLength: number
  /**
   * Takes a transaction in. Only a proven one goes on to others: who passes on what has a bad proof is blamed.
   * @throws HouseError; `verdictOf` says what its code means for who sent it.
   */
  add(bytes: Uint8Array): WaitingTransaction
  /** What is in the pool has a valid signature. */
  get(id: Hash): OpenTransaction | undefined
  /** The nonce that the sender's next transaction should have. */
  nextNonce(account: AccountId): bigint
  /** By nonce. */
  transactionsOf(account: AccountId): readonly OpenTransaction[]
  /** In the order of coming. */
  all(): Iterable<WaitingTransaction>
  /**
   * Candidates for a block, best first. The consumer answers each with true when it went into the block; otherwise nothing
   * more of its sender comes. The pool may take transactions in meanwhile, but not `advance`.
   */
  candidates(): Generator<OpenTransaction, void, boolean>
  /**
   * To be called after each block with the accounts that it changed and the transactions that it holds: those go without a look at
   * their senders. The result is how many were dropped.
   */
  advance(head: PoolHead, changed: Iterable<AccountId>, included?: Iterable<Hash>): number
}

type WaitingTransaction = OpenTransaction & { readonly isProven: boolean }

export function createMempool(head: PoolHead, limits: MempoolLimits = MEMPOOL_LIMITS): Mempool {
  const ranks = createRanks()
  const pool: Pool = { head, limits, ranks, arrivals: 0, badProofs: createBadProofs() }
  return {
    get size() {
      return ranks.size
    },
    get byteLength() {
      return ranks.byteLength
    },
    add: (bytes) => addTransaction(pool, bytes),
    get: (id) => ranks.get(id),
    nextNonce: (account) => nextNonce(pool, account),
    transactionsOf: (account) => ranks.queueOf(account),
    all: () => ranks.entries,
    candidates() {
      const room = { units: limits.provingUnitsMax }
      return candidatesOf(pool.head.state, ranks, (entry) => prove(pool, entry, room))
    },
    advance: (next, changed, included = []) => advancePool(pool, next, { changed, included }),
  }
}

interface Pool {
  head: PoolHead
  arrivals: number
  readonly limits: MempoolLimits
  readonly ranks: Ranks
  readonly badProofs: BadProofs
}

/** From the cheapest check to the dearest: who costs us a signature check has a fee to lose. */
function addTransaction(pool: Pool, bytes: Uint8Array): WaitingTransaction {
  const { state, context } = pool.head
  const transaction = decodeTransaction(bytes)
  if (pool.ranks.get(transaction.id) !== undefined) {
    throw new MempoolError('MEMPOOL_KNOWN', 'The transaction waits already.')
  }
  const open = openTransaction(transaction, context)
  pool.badProofs.check(open, context.height)
  const isFirst = checkNonce(pool, open)
  feeOf(open, context.baseFee)
  const replaced = pool.ranks.at(transaction.sender, transaction.nonce)
  if (replaced !== undefined) checkReplacement(open, replaced)
  checkMeans(pool, open, replaced)
  const tip = tipAt(open, context.baseFee)
  const isProven = isFirst || open.contract.prove === undefined
  const entry: Entry = { ...open, tip, isProven, arrival: pool.arrivals++, height: context.height }
  const victims = victimsOf(pool, entry, replaced)
  checkSignature(transaction, context)
  inspectBody(open)
  if (isFirst) {
    checkStanding(open, state, context)
    pool.badProofs.prove(open, context)
  }
  if (replaced !== undefined) pool.ranks.remove(replaced)
  for (const victim of victims) pool.ranks.remove(victim)
  pool.ranks.insert(entry)
  return entry
}

/** Whether it is the next of its sender. */
function checkNonce({ head, limits }: Pool, { transaction: { sender, nonce } }: OpenTransaction): boolean {
  const next = getAccount(head.state, sender).nonce
  const details = { found: String(nonce), expected: String(next) }
  if (nonce < next) {
    const sentence = 'The transaction was applied already, or another one of the same account in its place.'
    throw new TransactionError('NONCE_TOO_LOW', sentence, { details })
  }
  if (nonce >= next + BigInt(limits.perAccountMax)) {
    const sentence = 'Too many transactions of this account wait. Send it again when some of them are in blocks.'
    throw new MempoolError('MEMPOOL_NONCE_TOO_FAR', sentence, { details })
  }
  return nonce === next
}

function checkReplacement({ transaction }: OpenTransaction, replaced: Entry): void {
  const maxFee = raised(replaced.transaction.maxFee)
  const tip = raised(replaced.transaction.tip)
  if (transaction.maxFee >= maxFee && transaction.tip >= tip) return
  throw new MempoolError(
    'MEMPOOL_REPLACEMENT_TOO_CHEAP',
    `Another transaction with this nonce waits. To replace it offer a fee of ${maxFee} and a tip of ${tip} grains per unit.`,
    { details: { maxFee: String(maxFee), tip: String(tip) } },
  )
}

/** A tenth more, and more than nothing: without that, replacing would be a way to flood the network for free. */
function raised(price: bigint): bigint {
  return price + (price > 10n ? (price + 9n) / 10n : 1n)
}

/** The sender must be able to pay the fees of all that it has here; amounts are its contract's business. */
function checkMeans({ head, ranks }: Pool, open: OpenTransaction, replaced: Entry | undefined): void {
  const { sender } = open.transaction
  const { balance } = getAccount(head.state, sender)
  let needed = costOf(open)
  for (const waiting of ranks.queueOf(sender)) if (waiting !== replaced) needed += costOf(waiting)
  if (balance >= needed) return
  const sentence = 'The account cannot pay the fees of all the transactions that it has sent.'
  throw new MempoolError('MEMPOOL_UNPAYABLE', sentence, {
    details: { balance: String(balance), needed: String(needed) },
  })
}

/** Grains of fee at most. */
function costOf({ transaction, units }: OpenTransaction): bigint {
  return transaction.maxFee * BigInt(units)
}

/**
 * Who must leave to make room. The cheapest go first, but from a sender it is always the one with the highest nonce, so that no
 * sender's sequence is broken. @throws MempoolError MEMPOOL_FULL when those are not cheaper than the newcomer.
 */
function victimsOf({ head, limits, ranks }: Pool, entry: Entry, replaced: Entry | undefined): Set<Entry> {
  const victims = new Set<Entry>()
  let count = ranks.size + (replaced === undefined ? 1 : 0) - limits.transactionsMax
  const grown = entry.transaction.byteLength - (replaced?.transaction.byteLength ?? 0)
  let bytes = ranks.byteLength + grown - limits.bytesMax
  if (count <= 0 && bytes <= 0) return victims
  for (const cheapest of ranks.cheapest()) {
    const { sender } = cheapest.transaction
    const victim = ranks.queueOf(sender).findLast((last) => !victims.has(last))
    if (victim === undefined || sender === entry.transaction.sender || cheapest.tip >= entry.tip) {
      throw fullError(head, cheapest.tip)
    }
    victims.add(victim)
    count -= 1
    bytes -= victim.transaction.byteLength
    if (count <= 0 && bytes <= 0) return victims
  }
  throw fullError(head, entry.tip)
}

function fullError({ context }: PoolHead, cheapestTip: bigint): MempoolError {
  const tip = cheapestTip < 0n ? 0n : cheapestTip + 1n
  const maxFee = context.baseFee + tip
  return new MempoolError(
    'MEMPOOL_FULL',
    `Too many transactions wait. Offer a tip of at least ${tip} and a fee of at least ${maxFee} grains per unit, or send it again later.`,
    { details: { tip: String(tip), maxFee: String(maxFee) } },
  )
}

function advancePool(
  pool: Pool,
  head: PoolHead,
  { changed, included }: { readonly changed: Iterable<AccountId>; readonly included: Iterable<Hash> },
): number {
  const { ranks, limits } = pool
  const before = ranks.size
  ranks.removeAll(heldOf(ranks, included))
  if (head.context.baseFee !== pool.head.context.baseFee) ranks.reprice(head.context.baseFee)
  pool.head = head
  const room = { units: limits.provingUnitsMax }
  const gone = new Set<Entry>()
  for (const account of changed) for (const entry of revalidate(pool, account, room)) gone.add(entry)
  for (const entry of ranks.entries) {
    // They stand in the order of coming: the first that is young enough ends the search.
    if (head.context.height - entry.height <= limits.expiryBlocks) break
    gone.add(entry)
  }
  ranks.removeAll(gone)
  return before - ranks.size
}

/** Those of the ids that wait: after them there is nothing left of most senders to look at. */
function heldOf(ranks: Ranks, ids: Iterable<Hash>): ReadonlySet<Entry> {
  const held = new Set<Entry>()
  for (const id of ids) {
    const entry = ranks.get(id)
    if (entry !== undefined) held.add(entry)
  }
  return held
}

/** What the account has sent before, cannot pay any more, or what its contract refuses now. */
function revalidate(pool: Pool, account: AccountId, room: ProvingRoom): readonly Entry[] {
  const queue = pool.ranks.queueOf(account)
  // Most accounts that a block changes have sent nothing.
  if (queue.length === 0) return queue
  const { nonce, balance } = getAccount(pool.head.state, account)
  let means = balance
  const gone = queue.filter((entry) => {
    const isPast = entry.transaction.nonce < nonce
    if (!isPast) means -= costOf(entry)
    return isPast || means < 0n
  })
  const first = queue.find((entry) => entry.transaction.nonce === nonce)
  if (first === undefined || gone.includes(first)) return gone
  const isGood = isApplicable(pool.head, first) && prove(pool, first, room) !== 'bad'
  return isGood ? gone : [...gone, first]
}

/** A base fee that is too high passes; anything else that the state refuses, it will refuse later too or not pay for. */
function isApplicable({ state, context }: PoolHead, entry: Entry): boolean {
  if (entry.tip < 0n) return true
  try {
    checkStanding(entry, state, context)
    return true
  } catch (error) {
    if (error instanceof TransactionError) return false
    throw error
  }
}

/** Units of transactions whose proofs may still be checked: who sends bad ones pays nothing for it. */
type ProvingRoom = { units: number }

/** Checks the proofs of a transaction if they were not and there is room: `bad` ones are so in every state. */
function prove({ head, badProofs }: Pool, entry: Entry, room: ProvingRoom): Proof {
  if (entry.isProven) return 'good'
  if (room.units < entry.units) return 'unknown'
  room.units -= entry.units
  entry.isProven = badProofs.holds(entry, head.context)
  return entry.isProven ? 'good' : 'bad'
}

function nextNonce({ head, ranks }: Pool, account: AccountId): bigint {
  let { nonce } = getAccount(head.state, account)
  while (ranks.at(account, nonce) !== undefined) nonce += 1n
  return nonce
}
