/**
 * How a chat pays: with a lease of this data folder that has enough left, else with a new one, and with another when a ring breaks, a miner is gone
 * or the cap is used up. What it takes to open one is behind a function, so a chat with an open lease loads nothing for it.
 * Spec: docs/spec/market.md §9.1.
 * @module
 */
import type { AccountId, Hash, PeerId } from '../../base/brand.ts'
import { codeOf, HouseError } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { Client } from '../client.ts'
import { peerOfPublicKey } from '../node-identity.ts'
import { RingError } from '../ring/ring-error.ts'
import type { Route } from '../ring/route.ts'
import type { LeaseBook } from './client-book.ts'
import { type ChatNeed, costOf } from './client-cap.ts'
import { faultOf, silentOf } from './client-faults.ts'
import type { KeptLease } from './client-lease-file.ts'
import type { LeaseOpener } from './client-opener.ts'
import type { LeaseWish } from './client-plan.ts'
import { heardRuns, routeOfLease } from './client-route.ts'
import { dropSpent, type TakenLease, takeFromBook, takeHold } from './client-takes.ts'
import { LeaseError, leaseError } from './lease-error.ts'
import type { LeasedLot, OpenLease } from './lease-source.ts'
import type { RingPayer } from './ring-payer.ts'

/** A ring and what pays for it. */
export interface PaidRing {
  readonly lease: OpenLease
  readonly route: Route
  readonly payer: RingPayer
  /** After the ring is closed: others may use the lease. */
  release(): Promise<void>
}

export type PaymentNews =
  /** `hundred`: grains for a hundred tokens of an answer like the one asked for, about. */
  | { readonly type: 'opened'; readonly lease: OpenLease; readonly balance: bigint; readonly hundred: bigint }
  | { readonly type: 'used'; readonly lease: OpenLease; readonly left: bigint }
  | { readonly type: 'low'; readonly used: bigint; readonly cap: bigint }
  /** From now on only miners that serve for nothing are asked; `why` is undefined where the price is 0. */
  | { readonly type: 'free'; readonly why: HouseError | undefined }

export interface PaymentOptions {
  /** Hash of the manifest. */
  readonly model: Hash
  /** Grains that the chat may cost, at most; undefined: as leases of the usual size last. */
  readonly cap: bigint | undefined
  readonly book: LeaseBook
  /** Whether leases of this account may be used. */
  readonly isPayer: (payer: AccountId) => boolean
  /** Loads the chain and the wallet. */
  readonly opener: () => Promise<LeaseOpener>
  /** Whether what keeps a lease from being opened is told, and the chat goes on without. */
  readonly mayBeFree: boolean
  readonly say: (news: PaymentNews) => void
}

export interface BrokenRing {
  readonly paid: PaidRing
  readonly client: Client
  /** It was never open. */
  readonly atOnce: boolean
}

export interface ClientPayments {
  /**
   * The ring to open next, for an answer that needs so much; undefined: this chat is free. @throws what keeps a lease from being opened; LeaseError
   * LEASE_SPENT; RingError RING_NO_ROUTE.
   */
  ring(client: Client, need: ChatNeed, signal: AbortSignal): Promise<PaidRing | undefined>
  /** A ring is closed that could not be opened, or broke later. Whether `ring` may give one that does better. */
  failed(why: unknown, broken: BrokenRing): Promise<boolean>
  /** Miners take leases only: the reason why there is none, or undefined, and then the next ring is paid. */
  require(): HouseError | undefined
  /** Grains for all the work of this chat so far. */
  readonly spent: bigint
  /** Of the ring now. */
  readonly lease: OpenLease | undefined
  close(): Promise<void>
}

/** Leases that one chat opens, turns that spend them included. */
const OPENED_MAX = 64
/** Rings of one lease that may break before it is given up; leases whose miners nobody finds, one after the other. */
const LOSSES_MAX = 2
/** With less than such a part of --cap left, a chat has spent it. */
const CAP_PARTS = 20n
/** Failures of a chat that end it. */
const FAILURES_MAX = 12

/** What is told also where the chat could go on without a lease: people meant to pay. */
const ALWAYS_TOLD: ReadonlySet<string> = new Set(['INTERRUPTED', 'KEYSTORE_WRONG_PASSWORD', 'LEASE_SPENT'])

export function createClientPayments(options: PaymentOptions, ports: { clock: Clock; log: Log }): ClientPayments {
  return new Payments(options, ports)
}

class Payments implements ClientPayments {
  readonly #options: PaymentOptions
  readonly #ports: { readonly clock: Clock; readonly log: Log }
  readonly #avoided = new Map<AccountId, PeerId>()
  readonly #losses = new Map<Hash, number>()
  readonly #toClose: KeptLease[] = []
  #taken: TakenLease | undefined
  #opener: Promise<LeaseOpener> | undefined
  /** Of leases that were given back. */
  #spentBefore = 0n
  readonly #openedHere = new Set<Hash>()
  #failures = 0
  /** `needless`: work costs nothing, and miners did not ask for a lease yet. */
  #mode: 'paid' | 'free' | 'needless' = 'paid'
  #isRequired = false
  #why: HouseError | undefined

  constructor(options: PaymentOptions, ports: { clock: Clock; log: Log }) {
    this.#options = options
    this.#ports = ports
  }

  get spent(): bigint {
    const taken = this.#taken
    return this.#spentBefore + (taken === undefined ? 0n : taken.payer.charged - taken.before)
  }

  get lease(): OpenLease | undefined {
    return this.#taken?.lease
  }

  async ring(client: Client, need: ChatNeed, signal: AbortSignal): Promise<PaidRing | undefined> {
    if (this.#mode !== 'paid') return undefined
    try {
      return await this.#paidRing({ client, need, signal })
    } catch (error) {
      await this.#release()
      if (!this.#options.mayBeFree || signal.aborted || !(error instanceof HouseError)) throw error
      if (ALWAYS_TOLD.has(error.code)) throw error
      this.#goFree('free', error)
      return undefined
    }
  }

  async failed(why: unknown, { paid, client, atOnce }: BrokenRing): Promise<boolean> {
    const { lease } = paid
    if (codeOf(why) === 'LEASE_SPENT') return true
    const fault = await faultOf(why, lease, { wire: client.wire, clock: this.#ports.clock })
    if (fault === undefined || ++this.#failures > FAILURES_MAX) return false
    const losses = (this.#losses.get(lease.id) ?? 0) + 1
    this.#losses.set(lease.id, losses)
    const isGone = atOnce && fault.culprits.length > 0
    if (fault.kind === 'ring' && !isGone && losses < LOSSES_MAX) return true
    // A lease of the book may have been closed by somebody, and be settled: then nobody is to blame.
    const isBlamed = fault.kind !== 'unknown' || this.#openedHere.has(lease.id)
    await this.#giveUp(lease.id, isBlamed ? fault.culprits : [])
    return true
  }

  require(): HouseError | undefined {
    if (this.#mode === 'needless') this.#mode = 'paid'
    this.#isRequired = true
    return this.#why
  }

  async close(): Promise<void> {
    await this.#release()
    const opener = await this.#opener?.catch(() => undefined)
    await opener?.end()
  }

  async #paidRing(asked: Asked): Promise<PaidRing | undefined> {
    const { client, signal } = asked
    await this.#release()
    const { cap } = this.#options
    if (cap !== undefined && this.spent > 0n && this.#capLeft()! * CAP_PARTS < cap) throw capSpent()
    for (let tries = 0; tries <= LOSSES_MAX; tries++) {
      this.#taken = (await this.#reuse(asked)) ?? (await this.#openAnother(asked))
      if (this.#taken === undefined) return undefined
      const { lease, payer } = this.#taken
      const found = await routeOfLease(lease, client, signal)
      if (found.ok) return { lease, payer, route: found.route, release: () => this.#release() }
      await this.#giveUp(lease.id, found.lost)
    }
    throw noPlace()
  }

  async #reuse({ need }: Asked): Promise<TakenLease | undefined> {
    const { book, model, isPayer, say } = this.#options
    const wish = { model, need, isPayer, cap: this.#capLeft(), avoided: this.#avoided, onLow: this.#onLow }
    const taken = await takeFromBook(book, wish, this.#ports)
    if (taken !== undefined) say({ type: 'used', lease: taken.lease, left: taken.left })
    return taken
  }

  async #openAnother(asked: Asked): Promise<TakenLease | undefined> {
    const { need, client, signal } = asked
    const { book, model, say } = this.#options
    const cap = this.#capLeft()
    if (this.#openedHere.size >= OPENED_MAX) throw leaseError('LEASE_SPENT')
    this.#opener ??= this.#options.opener()
    const opener = await this.#opener
    await opener.recover(signal)
    const recovered = await this.#reuse(asked)
    if (recovered !== undefined) return recovered
    if (!this.#isRequired && (await opener.price(model, signal)) === 0n) {
      this.#goFree('needless', undefined)
      return undefined
    }
    if (this.#options.cap === undefined) this.#toClose.push(...(await dropSpent(book, model)))
    for (const kept of this.#toClose.splice(0)) opener.closeLater(kept)
    const wish = { model, need, cap, avoid: [...this.#avoided.keys()], ...this.#whoIsThere(client, signal) }
    const { hold, kept, balance } = await opener.open(wish, signal).catch((error: unknown) => {
      // Who was gone may be back, and there is nobody else.
      if (codeOf(error) === 'NO_MINER') this.#avoided.clear()
      throw error
    })
    this.#openedHere.add(hold.id)
    const taken = await takeHold(hold, { onLow: this.#onLow }, this.#ports)
    const parts = kept.opened.lots.map(({ work }) => work)
    const hundred = costOf({ ...kept.opened.terms, parts }, { promptRows: 0, decodeRows: 100 })
    say({ type: 'opened', lease: taken.lease, balance, hundred })
    return taken
  }

  #whoIsThere(client: Client, signal: AbortSignal): Pick<LeaseWish, 'heard' | 'absent'> {
    const { model } = this.#options
    const ports = { wire: client.wire, clock: this.#ports.clock }
    let met: Promise<unknown> | undefined
    return {
      heard: async (segments) => {
        const avoided = new Set<string>(this.#avoided.values())
        return (await heardRuns({ model, segments }, client, signal)).filter(({ owner }) => !avoided.has(owner))
      },
      absent: async (miners) => {
        met ??= client.directory.refresh(signal)
        await met
        const silent = await silentOf(miners, ports)
        if (silent.length === 0) return []
        await client.directory.search(model, signal)
        return silentOf(silent, ports)
      },
    }
  }

  readonly #onLow = (grains: { readonly used: bigint; readonly cap: bigint }): void => {
    this.#options.say({ type: 'low', ...grains })
  }

  /** What --cap leaves. */
  #capLeft(): bigint | undefined {
    const { cap } = this.#options
    if (cap === undefined) return undefined
    return cap > this.spent ? cap - this.spent : 0n
  }

  async #release(): Promise<void> {
    const taken = this.#taken
    if (taken === undefined) return
    await taken.payer.close()
    this.#spentBefore = this.spent
    this.#taken = undefined
    await taken.hold.release()
  }

  /** The lease is of no more use: it is closed as soon as another one is opened, which has the keys at hand. */
  async #giveUp(id: Hash, culprits: readonly LeasedLot[]): Promise<void> {
    for (const { operator, peerKey } of culprits) {
      // The newest last.
      this.#avoided.delete(operator)
      this.#avoided.set(operator, peerOfPublicKey(peerKey))
    }
    await this.#release()
    const hold = await this.#options.book.hold(id)
    if (hold?.kept !== undefined) this.#toClose.push(hold.kept)
    await hold?.forget()
  }

  #goFree(mode: 'free' | 'needless', why: HouseError | undefined): void {
    this.#mode = mode
    this.#why = why
    this.#options.say({ type: 'free', why })
  }
}

interface Asked {
  readonly client: Client
  readonly need: ChatNeed
  readonly signal: AbortSignal
}

function capSpent(): LeaseError {
  const message = 'The chat has cost as much as --cap allows. Start another one, or one with a higher --cap.'
  return new LeaseError('LEASE_SPENT', message)
}

function noPlace(): RingError {
  const message = 'The miners of several leases could not be found on the network. Try again later.'
  return new RingError('RING_NO_ROUTE', message)
}
