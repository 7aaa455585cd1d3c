/**
 * Opens leases for a client, and closes those that are of no use any more: looks at the model, the miners and the balance first, asks for keys
 * last, and writes down what it is about to open before the chain hears of it. Spec: docs/spec/market.md §9.1.
 * @module
 */
import type { AccountId, Hash, Milliseconds } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { closeLeaseCall } from '../chain/calls.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { LeaseView } from '../chain/market-access.ts'
import { openLeaseOf } from './chain-leases.ts'
import { createChainSender } from './chain-sender.ts'
import type { LeaseBook, LeaseHold } from './client-book.ts'
import { type Hand, handInLease } from './client-hand-in.ts'
import type { KeptLease, Opened } from './client-lease-file.ts'
import { type LeaseWish, type Moment, momentOf, planLease } from './client-plan.ts'

/** A lease that the chain has, and this process for itself. */
export interface NewLease {
  readonly hold: LeaseHold
  readonly kept: KeptLease & { readonly opened: Opened }
  /** Grains that the payer has left. */
  readonly balance: bigint
}

export interface LeaseOpener {
  /**
   * Resolves when the lease is in a block. @throws TransactionError INSUFFICIENT_FUNDS, NO_SUCH_MODEL, NO_MINER and whatever else the chain refuses it
   * with; WaitError; StoreError; LeaseBookError; what keeps the keys from being had.
   */
  open(wish: LeaseWish, signal: AbortSignal): Promise<NewLease>
  /** Grains per unit now. @throws TransactionError NO_SUCH_MODEL. */
  price(model: Hash, signal: AbortSignal): Promise<bigint>
  /** Looks for those of which the book does not know whether they were opened. */
  recover(signal: AbortSignal): Promise<void>
  /** Closes it with the next one that is opened, or now if one was; nobody waits for that. */
  closeLater(lease: KeptLease): void
  end(): Promise<void>
}

export interface OpenerParts {
  readonly chain: ChainAccess
  readonly book: LeaseBook
  /** Who pays. */
  readonly account: AccountId
  /** Of the account; asked for when nothing else can keep a lease from being opened. */
  readonly keys: () => Promise<KeyPair>
  /** How long its block is waited for; undefined: as long as for any. */
  readonly patienceMs?: Milliseconds | undefined
  /** Told when that takes longer than people expect. */
  readonly onSlow: () => void
}

export function createLeaseOpener(parts: OpenerParts, ports: { clock: Clock; log: Log }): LeaseOpener {
  const { chain, book, account } = parts
  const { network } = chain
  const ending = new AbortController()
  let hand: Promise<Hand> | undefined
  const toClose: KeptLease[] = []

  const handOf = (): Promise<Hand> => {
    hand ??= parts.keys().then((keys) => ({ keys, send: createChainSender({ chain, keys }, ports).send }))
    // Who mistyped a password may be asked again.
    hand.catch(() => {
      hand = undefined
    })
    return hand
  }
  const closeAll = ({ send }: Hand): void => {
    for (const { id } of toClose.splice(0)) {
      const closing = async (): Promise<void> => {
        const view = await chain.market.lease(id, ending.signal)
        await send(closeLeaseCall(view, { kind: network.kind, id: account }, ''), ending.signal)
      }
      closing().catch((error: unknown) =>
        ports.log.write('info', 'lease.not_closed', { lease: id, code: codeOf(error) }),
      )
    }
  }

  /** Keeps what the chain says of a lease. */
  const keepOpened = async (hold: LeaseHold, view: LeaseView, moment: Moment): Promise<NewLease['kept']> => {
    const { terms, cap, voucherKey, lots, openUntilMs } = openLeaseOf(view, { ...moment, network })
    const kept = { ...hold.kept!, openUntilMs, opened: { terms, cap, voucherKey, lots } }
    await hold.keep(kept)
    return kept
  }

  const recoverOne = async ({ id, payer, nonce }: KeptLease, signal: AbortSignal): Promise<void> => {
    const hold = await book.hold(id)
    if (hold === undefined) return
    try {
      const view = await leaseIfAny(chain, id, signal)
      const isOver =
        view === undefined ? BigInt((await chain.account(payer, signal)).nonce) > nonce : view.status !== 'open'
      if (isOver) return await hold.forget()
      if (view !== undefined) await keepOpened(hold, view, await momentOf(chain, signal))
      await hold.release()
    } catch (error) {
      await hold.release()
      throw error
    }
  }

  return {
    async price(model, signal) {
      return BigInt((await chain.market.model(model, signal)).price)
    },
    async recover(signal) {
      for (const kept of await book.list()) {
        if (kept.opened === undefined && kept.networkId === network.networkId) await recoverOne(kept, signal)
      }
    },
    async open(wish, signal) {
      const plan = await planLease(parts, wish, signal)
      const ready = await handOf()
      closeAll(ready)
      const hold = await handInLease({ ...parts, ...ready, plan }, { ...ports, signal })
      try {
        const [view, moment] = await Promise.all([chain.market.lease(hold.id, signal), momentOf(chain, signal)])
        const kept = await keepOpened(hold, view, moment)
        const { balance } = await chain.account(account, signal)
        return { hold, kept, balance: BigInt(balance) }
      } catch (error) {
        await hold.release()
        throw error
      }
    },
    closeLater(lease) {
      if (lease.payer !== account) return
      toClose.push(lease)
      void hand?.then(closeAll).catch(() => undefined)
    },
    async end() {
      ending.abort(new Error('the chat has ended'))
      await chain.close()
    },
  }
}

async function leaseIfAny(chain: ChainAccess, id: Hash, signal: AbortSignal): Promise<LeaseView | undefined> {
  try {
    return await chain.market.lease(id, signal)
  } catch (error) {
    if (codeOf(error) === 'NO_SUCH_LEASE') return undefined
    throw error
  }
}
