/**
 * Whether what a miner sends to an auditor is what went into its receipts: the covering one is under the root that was claimed, each of the others is
 * named by the next one, and the steps between two of them give the digest of the receipt and its counters. So every auditor has the same
 * data, or knows that it has none. Computes nothing.
 * Spec: docs/spec/market.md §8, §9.3, §9.4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { Reader } from '../../base/codec.ts'
import type { InclusionProof } from '../../core/block/transactions-root.ts'
import { hashOf } from '../../core/fields.ts'
import { weightedRows } from '../../core/market/charge.ts'
import { type Counters, recede, ZERO_COUNTERS } from '../../core/market/counters.ts'
import { addRows, sameCounters } from '../../core/market/payment-window.ts'
import { NO_RECEIPT, type Receipt, readReceipt, receiptHash } from '../../core/market/receipt.ts'
import { isReceiptIncluded } from '../../core/market/receipt-tree.ts'
import type { LeaseTerms } from '../../core/state/leases.ts'
import type { AuditAnswer } from '../../net/protocols/audit.ts'
import { decodeStageMessage, type StageMessageOf } from '../../net/protocols/stage.ts'
import { NO_ROWS_DIGEST, nextRowDigest, type RowDigest } from '../market/row-digest.ts'
import { stepRowsMax, stepRowsOf } from '../market/step-rows.ts'
import { checkShape } from '../ring/prompt-steps.ts'
import { badData } from './audit-error.ts'

export interface AuditedLot {
  readonly lease: Hash
  readonly lot: number
  /** Weighted rows whose receipts are audited, one at least. */
  readonly rows: readonly number[]
  /** Of the lot's receipts, as claimed. */
  readonly root: Hash
  readonly terms: Pick<LeaseTerms, 'decodeWeight' | 'receiptRows'>
  readonly hiddenSize: number
  /** Whether token ids go into it, and no activations. */
  readonly hasEmbedding: boolean
}

export interface CheckedStep {
  readonly step: StageMessageOf<'step'>
  /** Of a receipt that is audited. */
  readonly isCovering: boolean
  /** With its last step: the receipt, and the audited rows that it covers. */
  readonly ended: CoveredRows | undefined
}

export interface CoveredRows {
  readonly receipt: Receipt
  readonly rows: readonly number[]
}

export interface InputCheck {
  /** Of the last window that is audited. */
  readonly cover: Receipt
  /** Everything up to the end of the covering window has come. */
  readonly isWhole: boolean
  /** A window begins. @throws AuditError AUDIT_BAD_DATA, CodecError; so do all. */
  receipt(bytes: Uint8Array): void
  step(bytes: Uint8Array): Promise<CheckedStep>
}

/** `told`: the receipt that covers the last row, or a later one. @throws AuditError AUDIT_BAD_DATA when it does not, or was not claimed; CodecError. */
export function createInputCheck(audited: AuditedLot, told: Extract<AuditAnswer, { type: 'cover' }>): InputCheck {
  const { terms } = audited
  const cover = decodeReceipt(told.receipt)
  const coverHash = checkCover(audited, cover, told)
  let counters: Counters = ZERO_COUNTERS
  let previous = NO_RECEIPT
  let count = 0
  let open: (CoveredRows & { readonly hash: Hash }) | undefined
  let digest: RowDigest = NO_ROWS_DIGEST
  const isWhole = (): boolean => count > cover.window

  return {
    cover,
    get isWhole() {
      return isWhole()
    },
    receipt(bytes) {
      if (open !== undefined || isWhole()) throw badData('a receipt comes where none can stand')
      const receipt = decodeReceipt(bytes)
      const hash = receiptHash(receipt)
      const follows =
        isOf(audited, receipt) &&
        receipt.window === count &&
        receipt.previous === previous &&
        sameCounters(receipt.before, counters) &&
        !sameCounters(receipt.before, receipt.after)
      if (!follows) throw badData('a receipt does not follow the one before it')
      checkLength(receipt, terms)
      if (count === cover.window && hash !== coverHash)
        throw badData('the receipts lead to another one than was claimed')
      open = { receipt, hash, rows: coveredBy(receipt, audited) }
      digest = NO_ROWS_DIGEST
    },
    async step(bytes) {
      if (open === undefined) throw badData('a step belongs to no receipt')
      const step = decodeStep(bytes, audited)
      counters = addRows(counters, stepRowsOf(step))
      const { receipt, hash, rows } = open
      if (recede(counters, receipt.after)) throw badData('the steps of a receipt are more than it counts')
      digest = await nextRowDigest(digest, bytes)
      const isCovering = rows.length > 0
      if (!sameCounters(counters, receipt.after)) return { step, isCovering, ended: undefined }
      if (hashOf(digest) !== receipt.inDigest) throw badData('the steps have another digest than their receipt')
      open = undefined
      previous = hash
      count++
      return { step, isCovering, ended: { receipt, rows } }
    },
  }
}

function checkCover(audited: AuditedLot, cover: Receipt, { index, count, siblings }: InclusionProof): Hash {
  const { rows, root, terms } = audited
  const hash = receiptHash(cover)
  if (!isOf(audited, cover)) throw badData('the receipt is of another lot')
  if (index >= count || !isReceiptIncluded(root, hash, { index, count, siblings })) {
    throw badData('the receipt is not under the root that was claimed')
  }
  checkLength(cover, terms)
  // Another auditor may have more of the lot than this one needs.
  if (weightedRows(cover.after, terms.decodeWeight) <= BigInt(Math.max(...rows))) {
    throw badData('the receipt ends before the row')
  }
  return hash
}

function coveredBy({ before, after }: Receipt, { rows, terms: { decodeWeight } }: AuditedLot): number[] {
  const [begin, end] = [weightedRows(before, decodeWeight), weightedRows(after, decodeWeight)]
  return rows.filter((row) => begin <= BigInt(row) && BigInt(row) < end)
}

/** No miner that keeps to the rules has a longer one. */
function checkLength({ before, after }: Receipt, { decodeWeight, receiptRows }: AuditedLot['terms']): void {
  if (recede(before, after)) throw badData('the counters of a receipt fall')
  const rows = weightedRows(after, decodeWeight) - weightedRows(before, decodeWeight)
  if (rows > receiptRows) throw badData('a receipt is longer than the lease allows')
}

function isOf({ lease, lot }: AuditedLot, receipt: Receipt): boolean {
  return receipt.lease === lease && receipt.lot === lot
}

function decodeReceipt(bytes: Uint8Array): Receipt {
  const reader = new Reader(bytes)
  const receipt = readReceipt(reader)
  reader.finish()
  return receipt
}

/** @throws RingError RING_BAD_MESSAGE for a shape that no stage takes. */
function decodeStep(bytes: Uint8Array, { terms, hiddenSize, hasEmbedding }: AuditedLot): StageMessageOf<'step'> {
  const step = decodeStageMessage(bytes)
  if (step.type !== 'step' || step.turn !== 0) throw badData('what should be a step is none')
  const rows = stepRowsOf(step)
  if (rows.rows === 0 || rows.rows > stepRowsMax(rows, Number(terms.receiptRows))) {
    throw badData('a step has more rows than the lease allows, or none')
  }
  if (!hasEmbedding) checkShape(step, hiddenSize)
  else if (step.rows.length > 0) throw badData('the first lot gets no activations')
  return step
}
