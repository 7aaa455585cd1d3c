/**
 * The transaction that opens a lease: written down before it leaves, with other cuts where nobody serves the first ones, with another nonce where
 * another process was faster, and waited for. Spec: docs/spec/market.md §9.1.
 * @module
 */
import { type AccountId, type Hash, type Milliseconds, milliseconds } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { voucherKeyOf } from '../../core/market/voucher-key.ts'
import { leaseIdOf } from '../../core/state/leases.ts'
import { withDeadline } from '../../net/deadline.ts'
import { openLeaseCall } from '../chain/calls.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { WaitError } from '../chain/wait-for-block.ts'
import type { ChainSender } from './chain-sender.ts'
import type { LeaseBook, LeaseHold } from './client-book.ts'
import { priceMaxOf } from './client-cap.ts'
import type { Cuts } from './client-cuts.ts'
import type { KeptLease } from './client-lease-file.ts'
import { type LeasePlan, rowsOf } from './client-plan.ts'
import { leaseError } from './lease-error.ts'

/** What signs and sends. */
export interface Hand {
  readonly keys: KeyPair
  readonly send: ChainSender['send']
}

export interface HandIn extends Hand {
  readonly plan: LeasePlan
  readonly chain: ChainAccess
  readonly book: LeaseBook
  readonly account: AccountId
  readonly patienceMs?: Milliseconds | undefined
  readonly onSlow: () => void
}

interface HandInPorts {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Half an hour: who chats again needs neither password nor block, and who does not holds slots of others no longer. */
const LEASE_MS = 30 * 60_000
/** A block takes a second or two. */
const SLOW_MS = milliseconds(4_000)
/** Transactions of the account that others have sent with the same nonce. */
const TRIES_MAX = 20
const PAUSE_MS = milliseconds(150)

/** Another process of this data folder is opening a lease with the nonce, or somebody elsewhere has used it. */
const TAKEN: ReadonlySet<string | undefined> = new Set([
  'LEASE_TAKEN_OVER',
  'NONCE_TOO_LOW',
  'MEMPOOL_REPLACEMENT_TOO_CHEAP',
])

/** Resolves when it is in a block. @throws TransactionError and whatever else the chain refuses it with; WaitError; StoreError; LeaseBookError. */
export async function handInLease(parts: HandIn, ports: HandInPorts): Promise<LeaseHold> {
  let refusal: unknown
  for (const cuts of parts.plan.cuts) {
    for (let tries = 1; ; tries++) {
      try {
        return await handInOnce(parts, cuts, ports)
      } catch (error) {
        refusal = error
        if (!TAKEN.has(codeOf(error)) || tries === TRIES_MAX) break
        await ports.clock.sleep(PAUSE_MS, ports.signal)
      }
    }
    if (codeOf(refusal) !== 'NO_MINER') throw refusal
  }
  throw refusal
}

async function handInOnce(parts: HandIn, cuts: Cuts, { clock, signal }: HandInPorts): Promise<LeaseHold> {
  const { plan, chain, book, account, keys, send, patienceMs, onSlow } = parts
  const { networkId } = chain.network
  let hold: LeaseHold | undefined
  const sendIt = (either: AbortSignal): Promise<unknown> =>
    send(async (nonce) => {
      const { secretKey: secret, publicKey: voucherKey } = voucherKeyOf(keys.secretKey, networkId, nonce)
      const kept = keptOf(plan, { networkId, account, nonce, secret })
      hold = await heldFor(book, kept)
      return openLeaseCall({
        ...{ model: plan.wish.model, voucherKey, cuts, avoid: plan.avoid, rows: rowsOf(plan.wish.need) },
        ...{ cap: plan.cap, priceMax: priceMaxOf(plan.price), expiryHeight: kept.expiryHeight },
      })
    }, either)
  const notSlow = clock.schedule(SLOW_MS, onSlow)
  try {
    await (patienceMs === undefined
      ? sendIt(signal)
      : withDeadline({ clock, limitMs: patienceMs, late, signal }, sendIt))
    return hold!
  } catch (error) {
    // The file stays: whether the chain has it is asked at the next opening.
    await hold?.release()
    throw error
  } finally {
    notSlow()
  }
}

async function heldFor(book: LeaseBook, kept: KeptLease): Promise<LeaseHold> {
  const hold = await book.hold(kept.id)
  if (hold === undefined) throw leaseError('LEASE_TAKEN_OVER')
  try {
    await hold.keep(kept)
    return hold
  } catch (error) {
    await hold.release()
    throw error
  }
}

interface KeyOfLease {
  readonly networkId: Hash
  readonly account: AccountId
  readonly nonce: bigint
  readonly secret: Uint8Array
}

function keptOf(plan: LeasePlan, { networkId, account, nonce, secret }: KeyOfLease): KeptLease {
  const { head, commitMs, leaseBlocksMax, wish } = plan
  const blocks = Math.min(leaseBlocksMax, Math.ceil(LEASE_MS / Math.max(commitMs, 1)))
  return {
    ...{ id: leaseIdOf(networkId, account, nonce), networkId, model: wish.model, payer: account, nonce, secret },
    expiryHeight: head.height + blocks,
    openUntilMs: milliseconds(head.timeMs + blocks * commitMs),
    opened: undefined,
  }
}

function late(): WaitError {
  const message = 'The block that opens the lease does not come. The chain seems to stand still.'
  return new WaitError('CHAIN_STILL_WAITING', message)
}
