/**
 * Taking a lease out of the book: one that has enough left, time for an answer, and whose miners nobody avoids. Spec: docs/spec/market.md §9.1.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { LeaseBook, LeaseHold } from './client-book.ts'
import { type ChatNeed, costOf } from './client-cap.ts'
import { type KeptLease, type Opened, openLeaseIn } from './client-lease-file.ts'
import { type OpenLease, paymentTermsOf } from './lease-source.ts'
import { openRingPayer, type RingPayer, type RingPayerOptions } from './ring-payer.ts'

/** A lease that this process uses. */
export interface TakenLease {
  readonly hold: LeaseHold
  readonly lease: OpenLease
  readonly payer: RingPayer
  /** Grains that were promised before. */
  readonly before: bigint
}

export interface TakeWish {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly need: ChatNeed
  /** Grains that may be spent at most; undefined: as many as there are. */
  readonly cap: bigint | undefined
  readonly isPayer: (payer: AccountId) => boolean
  readonly avoided: ReadonlyMap<AccountId, unknown>
  readonly onLow: RingPayerOptions['onLow']
}

/** What is left of a lease's time must be enough for an answer. */
const TIME_MS = 120_000
/** Of a lease that is spent there is less left than such a part. */
const SPENT_PARTS = 20n

/** undefined: there is none. @throws StoreError. */
export async function takeFromBook(
  book: LeaseBook,
  wish: TakeWish,
  ports: { readonly clock: Clock },
): Promise<(TakenLease & { readonly left: bigint }) | undefined> {
  const untilMs = ports.clock.wallMs() + TIME_MS
  for (const { id, model, payer, opened, openUntilMs } of await book.list()) {
    const mayDo = model === wish.model && openUntilMs > untilMs && wish.isPayer(payer)
    if (!mayDo || opened?.lots.some(({ operator }) => wish.avoided.has(operator)) !== false) continue
    const hold = await book.hold(id)
    if (hold === undefined) continue
    try {
      const left = await leftOf(hold)
      if (isEnough(left, opened, wish)) return { ...(await takeHold(hold, wish, ports)), left }
    } catch (error) {
      await hold.release()
      throw error
    }
    await hold.release()
  }
  return undefined
}

/** One that this process holds already, and the chain has. @throws StoreError. */
export async function takeHold(
  hold: LeaseHold,
  { onLow }: Pick<TakeWish, 'onLow'>,
  ports: { readonly clock: Clock },
): Promise<TakenLease> {
  const { secret } = hold.kept!
  const lease = leaseOf(hold)
  const payer = await openRingPayer({ lease, secret, store: hold.vouchers, onLow }, ports)
  return { hold, lease, payer, before: payer.charged }
}

/** Leases of a model that are as good as spent leave the book. @throws StoreError. */
export async function dropSpent(book: LeaseBook, model: Hash): Promise<readonly KeptLease[]> {
  const dropped: KeptLease[] = []
  for (const kept of await book.list()) {
    if (kept.model !== model || kept.opened === undefined) continue
    const hold = await book.hold(kept.id)
    if (hold === undefined) continue
    if ((await leftOf(hold)) * SPENT_PARTS >= kept.opened.cap) await hold.release()
    else {
      await hold.forget()
      dropped.push(kept)
    }
  }
  return dropped
}

function isEnough(left: bigint, { terms, lots }: Opened, { need, cap }: TakeWish): boolean {
  const cost = costOf({ ...terms, parts: lots.map(({ work }) => work) }, need)
  if (cap === undefined) return left >= cost
  return left <= cap && left >= (cost < cap ? cost : cap)
}

/** Grains that a lease can pay still; none where another process has removed it. */
async function leftOf(hold: LeaseHold): Promise<bigint> {
  if (hold.kept?.opened === undefined) return -1n
  const lease = leaseOf(hold)
  const newest = await hold.vouchers.newest(lease.id)
  return newest === undefined ? lease.cap : lease.cap - paymentTermsOf(lease).charge(newest.counters)
}

function leaseOf({ kept }: LeaseHold): OpenLease {
  return openLeaseIn(kept!, kept!.opened!)
}
