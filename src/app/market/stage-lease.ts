/**
 * The market's part of a session at a stage: lets a step begin when the lease pays for it, takes vouchers, and exchanges countersignatures with
 * the neighbours. Knows no channels and no engine.
 * Spec: docs/spec/wire.md §4.8, docs/spec/market.md §9.
 * @module
 */
import { type AccountId, type Hash, milliseconds } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { verify } from '../../core/ed25519.ts'
import { recede } from '../../core/market/counters.ts'
import type { Claimed } from '../../core/market/payment-meter.ts'
import { sameCounters } from '../../core/market/payment-window.ts'
import { handoverDigest } from '../../core/market/receipt.ts'
import { isVoucherOf, type SignedVoucher } from '../../core/market/voucher.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import type { Signer } from '../openssl-sign.ts'
import { acceptsOf } from '../openssl-verify.ts'
import { badMessage } from '../ring/ring-error.ts'
import { createTimer } from '../ring/timer.ts'
import type { LeaseAccount } from './lease-account.ts'
import { leaseError } from './lease-error.ts'
import type { KeptReceipt } from './lot-entry.ts'
import { outputBytes, stepBytes } from './row-digest.ts'
import { countedSteps, stepRowsMax, stepRowsOf } from './step-rows.ts'
import { decodeVoucher } from './voucher-store.ts'

type StepMessage = StageMessageOf<'step'>

/** What a step gave: activations of all its rows, or what the tail has drawn of those that stay. */
export interface StepOutcome {
  readonly output: Float32Array | readonly { readonly position: number; readonly token: number }[] | undefined
  readonly computeMs: number
}

export interface StageLease {
  readonly payer: AccountId
  /** Weighted rows that fit a receipt: no step may have more. */
  readonly receiptRows: number
  /** Waits until a step is paid for, and then counts it as begun if it is still wanted. Gives what takes its outcome, or undefined. */
  begin(step: StepMessage, isWanted: () => boolean): Promise<((outcome: StepOutcome) => void) | undefined>
  /** Of the step that was done last, so many rows are forgotten. They must not have been paid: the session ends. */
  forget(rows: number): void
  /** Rows of a step of decoding at this position that may begin now, of `wanted`; one at least, which may have to wait. */
  rowsAt(position: number, wanted: number): number
  /** A turn was cancelled or overtaken: steps that wait are asked again whether they are wanted. */
  recheck(): void
  /** A voucher came. @throws LeaseError, CodecError: the session ends. */
  onVoucher(bytes: Uint8Array): void
  /** The next stage has signed what it received. */
  onCountersignature(message: StageMessageOf<'countersignature'>): void
  /** No more work: those who wait are let go, what is being written is finished. */
  close(): Promise<void>
}

export interface StageLeaseParts {
  readonly account: LeaseAccount
  readonly signer: Signer
  /** The session ends with this. */
  readonly fail: (error: unknown) => void
  /** To the stage before; does nothing where there is none. */
  readonly toPrevious: (message: StageMessageOf<'countersignature'>) => void
}

/** How long a stage waits for a voucher before it ends the session. */
const UNPAID_MS = milliseconds(10_000)
/** Countersignatures that come before our own receipt is closed. */
const EARLY_MAX = 8

export function createStageLease(parts: StageLeaseParts, ports: { clock: Clock; log: Log }): StageLease {
  const { account, fail } = parts
  const { lease, lot, meter, journal } = account
  const { networkId, voucherKey } = lease
  const accepts = acceptsOf(voucherKey)
  const receiptRows = Number(lease.terms.receiptRows)
  const unpaid = createTimer(ports.clock)
  const handovers = createHandovers(parts, ports)
  let closed = false
  let waiters: (() => void)[] = []
  /** The voucher that came last, also while it is being written. */
  let latest: Claimed = meter.paid
  /** That waits for the one that is being written; a newer one takes its place. */
  let next: SignedVoucher | undefined
  let writing: Promise<void> | undefined

  const wake = (): void => {
    unpaid.disarm()
    const all = waiters
    waiters = []
    for (const resume of all) resume()
  }
  const write = async (): Promise<void> => {
    while (next !== undefined) {
      const voucher = next
      next = undefined
      const receipts = await account.settle(voucher)
      wake()
      handovers.closed(receipts)
    }
  }
  const wait = (why: 'unpaid' | 'cap'): Promise<void> => {
    unpaid.arm(UNPAID_MS, () => fail(leaseError(why === 'cap' ? 'LEASE_SPENT' : 'LEASE_UNPAID')))
    return new Promise((resolve) => waiters.push(resolve))
  }

  return {
    payer: lease.payer,
    receiptRows,
    async begin(step, isWanted) {
      const rows = stepRowsOf(step)
      const parts = countedSteps(step)
      if (parts.some((part) => part.tokens.length > stepRowsMax(rows, receiptRows))) {
        throw badMessage('A step is longer than the lease allows.')
      }
      for (;;) {
        if (closed || !isWanted()) return undefined
        if (ports.clock.wallMs() > lease.openUntilMs) throw leaseError('LEASE_EXPIRED')
        const admission = meter.admits(rows)
        if (admission === 'yes') break
        await wait(admission)
      }
      const begun = parts.map((part, index) => account.begin(stepRowsOf(part), () => stepBytes(part), index > 0))
      return ({ output, computeMs }) => {
        for (const [index, one] of begun.entries()) {
          one.output = () => outputBytes(parts[index]!, outputOf(output, index, begun.length))
          // Its first row stays, whatever becomes of the others.
          one.computeMs = index === 0 ? computeMs : 0
          meter.done()
        }
      }
    },
    forget(rows) {
      // The account may be another session's by now.
      if (closed || rows === 0) return
      if (!account.forget(rows, latest.counters)) throw leaseError('VOUCHER_TOO_EARLY')
    },
    rowsAt(position, wanted) {
      let rows = wanted
      while (rows > 1 && meter.admits({ kind: 'decode', position, rows }) !== 'yes') rows--
      return rows
    },
    recheck: wake,
    onVoucher(bytes) {
      const voucher = decodeVoucher(bytes.slice())
      if (voucher.lease !== lease.id) throw leaseError('VOUCHER_OF_ANOTHER_LEASE')
      if (voucher.seq <= latest.seq) throw leaseError('VOUCHER_REPLAYED')
      if (recede(latest.counters, voucher.counters)) throw leaseError('VOUCHER_RECEDES')
      // So there are no more vouchers to check than there were steps.
      if (sameCounters(latest.counters, voucher.counters)) throw leaseError('VOUCHER_EMPTY')
      const fault = meter.fault(voucher)
      if (fault !== undefined) throw leaseError(fault)
      if (!isVoucherOf(voucherKey, voucher, { networkId, accepts })) throw leaseError('VOUCHER_BAD_SIGNATURE')
      latest = voucher
      next = voucher
      writing ??= write()
        .catch(fail)
        .finally(() => {
          writing = undefined
        })
    },
    onCountersignature: handovers.countersigned,
    async close() {
      closed = true
      wake()
      await writing
      ports.log.write('info', 'lease.session_ended', {
        lease: lease.id,
        lot,
        rows: Number(meter.paid.counters.decodeRows),
        bytes: journal.bytes,
      })
    },
  }
}

/** Of the counted step `index` of `count`. */
function outputOf(
  output: StepOutcome['output'],
  index: number,
  count: number,
): Float32Array | { readonly position: number; readonly token: number } | undefined {
  if (!(output instanceof Float32Array)) return output?.[index]
  const width = output.length / count
  return output.subarray(index * width, (index + 1) * width)
}

interface Handovers {
  /** Receipts were closed here: the stage before gets its countersignatures. */
  closed(receipts: readonly KeptReceipt[]): void
  countersigned(message: StageMessageOf<'countersignature'>): void
}

/** What neighbours sign for each other. */
function createHandovers({ account, signer, toPrevious }: StageLeaseParts, { log }: { log: Log }): Handovers {
  const { lease, lot, journal } = account
  const next = lease.lots[lot + 1]
  const accepts = next && acceptsOf(next.peerKey)
  const isAfterAnother = lot > 0
  /** Receipts that wait for their countersignature, and countersignatures that wait for their receipt. */
  const open = new Map<number, Hash>()
  const early = new Map<number, Uint8Array>()

  const check = (window: number, signature: Uint8Array): void => {
    const outDigest = open.get(window)
    if (outDigest === undefined || next === undefined) return
    open.delete(window)
    const message = handoverDigest(lease.networkId, { lease: lease.id, lot, window, outDigest })
    if (!verify({ message, signature, publicKey: next.peerKey }, accepts)) {
      log.write('warn', 'receipt.disputed', { lease: lease.id, lot, window })
      return
    }
    journal.countersign(window, signature).catch((error: unknown) => {
      if (!(error instanceof HouseError)) throw error
      log.write('warn', 'receipt.countersignature_lost', { lease: lease.id, window, code: error.code })
    })
  }

  return {
    closed(receipts) {
      for (const { receipt, outDigest } of receipts) {
        const { window, inDigest } = receipt
        if (isAfterAnother) {
          const handover = { lease: lease.id, lot: lot - 1, window, outDigest: inDigest }
          toPrevious({ type: 'countersignature', window, signature: signer(handoverDigest(lease.networkId, handover)) })
        }
        if (next === undefined) continue
        open.set(window, outDigest)
        if (open.size > EARLY_MAX) open.delete(open.keys().next().value!)
        const signature = early.get(window)
        early.delete(window)
        if (signature !== undefined) check(window, signature)
      }
    },
    countersigned({ window, signature }) {
      if (open.has(window)) check(window, signature)
      else if (early.size < EARLY_MAX) early.set(window, signature.slice())
    },
  }
}
