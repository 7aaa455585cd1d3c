/**
 * The client's hand at a lease: counts what the ring has computed, signs vouchers, keeps them and sends them, beside the answer. A voucher is on
 * disk before it leaves, so no later start signs a lower one.
 * Spec: docs/spec/market.md §9.1, §9.2.
 * @module
 */
import { milliseconds, type SessionId } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import { ZERO_COUNTERS } from '../../core/market/counters.ts'
import { leaseOpeningDigest } from '../../core/market/lease-opening.ts'
import { createPayer, type PromptRows, type Told } from '../../core/market/payer.ts'
import { UNPAID_UNITS_MAX } from '../../core/market/payment-window.ts'
import { EMPTY_TRANSCRIPT } from '../../core/market/transcript.ts'
import { type SignedVoucher, type Voucher, voucherDigest } from '../../core/market/voucher.ts'
import type { LeaseOpening, VoucherBytes } from '../../net/protocols/stage-open.ts'
import { createSigner } from '../openssl-sign.ts'
import { createTimer } from '../ring/timer.ts'
import { leaseError } from './lease-error.ts'
import { type OpenLease, paymentTermsOf } from './lease-source.ts'
import { encodeVoucher, type VoucherStore } from './voucher-store.ts'

export interface RingPayer {
  readonly lease: OpenLease
  /** What opens a session at a stage. */
  opening(session: SessionId, stageIndex: number): LeaseOpening
  /** Tokens of a chunk that keep `stages` stages busy within what they do on trust. */
  chunkTokens(prompt: { readonly tokens: number; readonly stages: number }): number
  /** A prompt is about to be sent. @throws LeaseError LEASE_SPENT when the cap does not pay for it. */
  prompt(prompt: PromptRows): void
  /** Takes what the tail said; false when an honest ring cannot say it. */
  told(told: Told): boolean
  /** Whether the cap forbids the next token. */
  readonly isSpent: boolean
  /** Grains for all work that was seen, of the whole lease. */
  readonly charged: bigint
  /** Where vouchers go from now on. */
  sendTo(send: (voucher: VoucherBytes) => void): void
  /** Pays for all that was seen: at the end of a turn. Resolves when it is sent; rejects with what kept it from being written. */
  settle(): Promise<void>
  /** Pays for all that was seen, and ends: also when the ring broke, since the next session begins with the voucher. */
  close(): Promise<void>
}

export interface RingPayerOptions {
  readonly lease: OpenLease
  /** Of its voucher key, 32 bytes. */
  readonly secret: Uint8Array
  readonly store: VoucherStore
  /** Once, when four fifths of the cap are used. */
  readonly onLow: (grains: { readonly used: bigint; readonly cap: bigint }) => void
}

/** Work that was seen is paid for within this time. */
const DUE_MS = milliseconds(1_000)
const LOW_PERCENT = 80n

/** Goes on from the newest voucher of the lease. One at a time per lease. @throws StoreError. */
export async function openRingPayer(options: RingPayerOptions, { clock }: { clock: Clock }): Promise<RingPayer> {
  const { lease, store, onLow } = options
  const newest = await store.newest(lease.id)
  const terms = paymentTermsOf(lease)
  const payer = createPayer(terms, newest ?? { seq: 0n, counters: ZERO_COUNTERS, transcript: EMPTY_TRANSCRIPT })
  const sign = createSigner(options.secret)
  const timer = createTimer(clock)
  let latest: SignedVoucher | undefined = newest
  let send: (voucher: VoucherBytes) => void = () => undefined
  let writing: Promise<void> | undefined
  let isWaiting = false
  let isLow = false
  let isOver = false

  const write = async (): Promise<void> => {
    while (payer.owes) {
      const voucher: Voucher = { lease: lease.id, ...payer.pay() }
      const signed = { ...voucher, signature: sign(voucherDigest(lease.networkId, voucher)) }
      await store.keep(signed)
      latest = signed
      send(encodeVoucher(signed))
      warn()
    }
  }
  const settle = (): Promise<void> => {
    timer.disarm()
    isWaiting = false
    writing ??= write().finally(() => {
      writing = undefined
    })
    return writing
  }
  /** Who cannot be told of a failure now is told at the end of the turn: the stages stop meanwhile. */
  const settleLater = (): void => void settle().catch(() => undefined)
  const warn = (): void => {
    const used = terms.charge(payer.seen)
    if (isLow || used * 100n < terms.cap * LOW_PERCENT || terms.cap === 0n) return
    isLow = true
    onLow({ used, cap: terms.cap })
  }

  return {
    lease,
    opening: (session, stageIndex) => ({
      id: lease.id,
      proof: sign(leaseOpeningDigest(lease.networkId, { lease: lease.id, session, stageIndex })),
      voucher: latest && encodeVoucher(latest),
    }),
    chunkTokens: ({ tokens, stages }) => {
      const trusted = Number(UNPAID_UNITS_MAX)
      const most = Number(lease.terms.receiptRows)
      // Of a long prompt each stage computes a chunk, and one is on its way, before the first is paid.
      return Math.min(most, tokens <= trusted ? most : Math.max(1, Math.floor(trusted / (stages + 1))))
    },
    prompt(prompt) {
      if (!payer.affords(prompt)) throw leaseError('LEASE_SPENT')
      payer.prompt(prompt)
    },
    told(told) {
      if (isOver) return true
      if (!payer.told(told)) return false
      if (payer.isDue) settleLater()
      else if (payer.owes && !isWaiting) {
        isWaiting = true
        timer.arm(DUE_MS, settleLater)
      }
      return true
    },
    get isSpent() {
      return payer.isSpent
    },
    get charged() {
      return terms.charge(payer.seen)
    },
    sendTo: (next) => {
      send = next
    },
    settle,
    close: async () => {
      await settle().catch(() => undefined)
      isOver = true
      timer.disarm()
    },
  }
}
