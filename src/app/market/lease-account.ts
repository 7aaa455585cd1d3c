/**
 * A lease at one of its miners: what was computed and is not paid yet, and how a voucher turns it into receipts. Lives longer than sessions: work
 * that a broken session left may still be paid by the next one. Hashes and writes only when a voucher has come, so never between a
 * step and the next stage.
 * Spec: docs/spec/market.md §9.2, §9.3.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { Random } from '../../base/ports.ts'
import { hashOf } from '../../core/fields.ts'
import { weightedRows } from '../../core/market/charge.ts'
import { type Counters, recede, ZERO_COUNTERS } from '../../core/market/counters.ts'
import { createPaymentMeter, type PaymentMeter } from '../../core/market/payment-meter.ts'
import { type StepRows, sameCounters } from '../../core/market/payment-window.ts'
import { NO_RECEIPT, outCommitmentOf, type Receipt, receiptDigest, receiptHash } from '../../core/market/receipt.ts'
import { createGrowingReceipts, type GrowingReceipts } from '../../core/market/receipt-tree.ts'
import type { SignedVoucher } from '../../core/market/voucher.ts'
import type { Signer } from '../openssl-sign.ts'
import { createSerial } from '../store/serial.ts'
import { leaseError } from './lease-error.ts'
import { type OpenLease, paymentTermsOf } from './lease-source.ts'
import type { KeptReceipt, LotEntry, OpenWindow } from './lot-entry.ts'
import type { LotJournal } from './lot-journal.ts'
import { NO_ROWS_DIGEST, nextRowDigest } from './row-digest.ts'

/** A step that was begun; what it says is asked for when it is paid. */
export interface AccountStep {
  readonly rows: StepRows
  readonly input: () => Uint8Array
  readonly isTrial: boolean
  /** What went out, once it is known: undefined when nothing did. */
  output: (() => Uint8Array | undefined) | undefined
  computeMs: number
}

export interface LeaseAccount {
  readonly lease: OpenLease
  readonly lot: number
  readonly meter: PaymentMeter
  readonly journal: LotJournal
  /** Begins a step that the meter admits; `isTrial`: it may be forgotten. */
  begin(rows: StepRows, input: () => Uint8Array, isTrial: boolean): AccountStep
  /** The newest so many steps, all done, were on trial and count for nothing. False: a voucher with these counters was taken, which pays for some. */
  forget(count: number, claimed: Counters): boolean
  /**
   * Takes a voucher without fault: digests what it pays for, closes receipts that are full, and writes all of it. Gives the receipts that
   * it closed. One at a time. @throws StoreError.
   */
  settle(voucher: SignedVoucher): Promise<KeptReceipt[]>
  /**
   * What the miner can claim; undefined while that is nothing. `closes`: the receipt that is being filled is closed for it; without, the claim
   * is of those that are full, so that this lot goes on to cut as the others of the lease do. @throws StoreError.
   */
  claim(closes: boolean): Promise<LotClaim | undefined>
  /**
   * A session begins, whose client has given this voucher last. What it pays for of an older session is settled, what is left is a debt.
   * @throws LeaseError VOUCHER_RECEDES, LEASE_BEHIND.
   */
  resume(voucher: SignedVoucher | undefined): Promise<void>
}

/** What a claim-lease transaction says of a lot. */
export interface LotClaim {
  readonly voucher: SignedVoucher
  /** Weighted rows that the receipts cover, at most what the voucher pays for. */
  readonly rows: bigint
  readonly root: Hash
}

export interface AccountParts {
  readonly lease: OpenLease
  readonly lot: number
  readonly journal: LotJournal
  /** Of the miner's peer key. */
  readonly signer: Signer
  readonly random: Random
}

interface Begun extends AccountStep {
  readonly after: Counters
}

export function createLeaseAccount(parts: AccountParts): LeaseAccount {
  const { lease, lot, journal } = parts
  const kept = journal.newest
  const paid = { seq: kept?.voucher.seq ?? 0n, counters: kept?.voucher.counters ?? ZERO_COUNTERS }
  const meter = createPaymentMeter(paymentTermsOf(lease), paid)
  let open: OpenWindow = kept?.open ?? NO_WINDOW
  let steps: Begun[] = []
  /** Of all receipts; undefined until somebody claims: the journal may be long, and is read for it once. */
  let tree: GrowingReceipts | undefined

  const append = async (entry: LotEntry): Promise<void> => {
    await journal.append(entry)
    for (const { receipt } of entry.receipts) tree?.append(receiptHash(receipt))
  }
  const treeOf = async (): Promise<GrowingReceipts> => {
    if (tree !== undefined) return tree
    const found = createGrowingReceipts()
    for await (const { receipts } of journal.entries()) {
      for (const { receipt } of receipts) found.append(receiptHash(receipt))
    }
    tree = found
    return found
  }
  const serial = createSerial()
  const settle = async (voucher: SignedVoucher): Promise<KeptReceipt[]> => {
    const count = steps.findIndex(({ after }) => sameCounters(after, voucher.counters)) + 1
    const due = steps.slice(0, count)
    const filled = await fill(parts, { open, before: meter.paid.counters }, due)
    await append({ voucher, ...filled })
    open = filled.open
    steps = steps.slice(count)
    meter.accept(voucher)
    return [...filled.receipts]
  }

  return {
    lease,
    lot,
    meter,
    journal,
    begin(rows, input, isTrial) {
      const step: Begun = { rows, input, isTrial, output: undefined, computeMs: 0, after: meter.begin(rows) }
      steps.push(step)
      return step
    },
    forget(count, claimed) {
      const left = steps.length - count
      if (left < 0 || recede(claimed, steps[left - 1]?.after ?? meter.paid.counters)) return false
      meter.forget(count)
      steps = steps.slice(0, left)
      return true
    },
    settle: (voucher) => serial(() => settle(voucher)),
    claim: (closes) =>
      serial(async () => {
        const voucher = journal.newest?.voucher
        if (voucher === undefined) return undefined
        if (closes && !sameCounters(open.before, voucher.counters)) {
          const closed = closeWindow(parts, open, voucher.counters)
          const next = windowAfter(closed)
          await append({ voucher, steps: [], receipts: [closed], open: next })
          open = next
        }
        // Each receipt begins where the one before it ends.
        if (open.window === 0) return undefined
        const { root } = await treeOf()
        return { voucher, rows: weightedRows(open.before, lease.terms.decodeWeight), root }
      }),
    async resume(voucher) {
      const { counters } = voucher ?? { counters: ZERO_COUNTERS }
      if (recede(meter.paid.counters, counters)) throw leaseError('VOUCHER_RECEDES')
      if (voucher !== undefined && !sameCounters(meter.paid.counters, counters)) {
        const fault = meter.fault(voucher)
        if (fault !== undefined) throw leaseError(fault === 'VOUCHER_ABOVE_CAP' ? fault : 'LEASE_BEHIND')
        await serial(() => settle(voucher))
      }
      // What was on trial when the session ended is nobody's debt.
      meter.writeOff(steps.length - 1 - steps.findLastIndex(({ isTrial }) => !isTrial))
      steps = []
    },
  }
}

const NO_WINDOW: OpenWindow = {
  window: 0,
  before: ZERO_COUNTERS,
  inDigest: NO_ROWS_DIGEST,
  outDigest: NO_ROWS_DIGEST,
  computeMs: 0,
  previous: NO_RECEIPT,
}

/** The steps go into the open receipt; one that would be too long is closed before the step. Every stage of a lease so cuts alike. */
async function fill(
  parts: AccountParts,
  from: { readonly open: OpenWindow; readonly before: Counters },
  steps: readonly Begun[],
): Promise<Pick<LotEntry, 'steps' | 'receipts' | 'open'>> {
  const { decodeWeight, receiptRows } = parts.lease.terms
  const weight = (counters: Counters): bigint => weightedRows(counters, decodeWeight)
  const receipts: KeptReceipt[] = []
  const inputs: Uint8Array[] = []
  let { open, before } = from
  const close = (): void => {
    const closed = closeWindow(parts, open, before)
    receipts.push(closed)
    open = windowAfter(closed)
  }
  for (const { input, output, computeMs, after } of steps) {
    if (weight(after) - weight(open.before) > receiptRows) close()
    const bytes = input()
    const out = output?.()
    inputs.push(bytes)
    open = {
      ...open,
      inDigest: await nextRowDigest(open.inDigest, bytes),
      outDigest: out === undefined ? open.outDigest : await nextRowDigest(open.outDigest, out),
      computeMs: open.computeMs + computeMs,
    }
    before = after
    if (weight(after) - weight(open.before) === receiptRows) close()
  }
  return { steps: inputs, receipts, open }
}

function windowAfter({ receipt }: KeptReceipt): OpenWindow {
  return { ...NO_WINDOW, window: receipt.window + 1, before: receipt.after, previous: receiptHash(receipt) }
}

const MILLISECONDS_MAX = 0xffff_ffff

/** The open window as a receipt up to these counters. */
function closeWindow({ lease, lot, signer, random }: AccountParts, open: OpenWindow, after: Counters): KeptReceipt {
  const salt = hashOf(random.bytes(32))
  const outDigest: Hash = hashOf(open.outDigest)
  const receipt: Receipt = {
    lease: lease.id,
    lot,
    window: open.window,
    before: open.before,
    after,
    inDigest: hashOf(open.inDigest),
    outCommitment: outCommitmentOf(outDigest, salt),
    milliseconds: Math.min(MILLISECONDS_MAX, Math.ceil(open.computeMs)),
    previous: open.previous,
  }
  return { receipt: { ...receipt, signature: signer(receiptDigest(lease.networkId, receipt)) }, outDigest, salt }
}
