/**
 * What went into a lot, from its journal, as auditors get it: each receipt before its steps, up to the end of the covering one.
 * Spec: docs/spec/market.md §9.4, docs/spec/wire.md §6.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import { type Counters, ZERO_COUNTERS } from '../../core/market/counters.ts'
import { addRows, sameCounters } from '../../core/market/payment-window.ts'
import { RECEIPT_BYTES, type Receipt, writeReceipt } from '../../core/market/receipt.ts'
import { type AuditAnswer, type AuditItem, auditItemBytes, encodeAuditAnswer } from '../../net/protocols/audit.ts'
import { decodeStageMessage } from '../../net/protocols/stage.ts'
import type { LotFolder } from '../market/lot-folder.ts'
import { stepRowsOf } from '../market/step-rows.ts'
import type { CoveringReceipt } from './claimed-receipts.ts'

/** What an auditor gets first. */
export function coverAnswer({
  receipt,
  proof,
}: Pick<CoveringReceipt, 'receipt' | 'proof'>): Extract<AuditAnswer, { type: 'cover' }> {
  return { type: 'cover', receipt: receiptBytes(receipt), ...proof }
}

/** And then. `receipts`: up to the covering one. Ends early where the journal does. @throws StoreError, CodecError. */
export async function* lotInputs(
  lots: Pick<LotFolder, 'read'>,
  lease: Hash,
  receipts: CoveringReceipt['upTo'],
): AsyncGenerator<AuditItem, void, void> {
  let counters: Counters = ZERO_COUNTERS
  let window = 0
  let isOpen = false
  for await (const { steps } of lots.read(lease)) {
    for (const bytes of steps) {
      const receipt = receipts[window]?.receipt
      if (receipt === undefined) return
      if (!isOpen) yield { type: 'receipt', receipt: receiptBytes(receipt) }
      isOpen = true
      yield { type: 'step', step: bytes }
      const step = decodeStageMessage(bytes)
      if (step.type !== 'step') return
      counters = addRows(counters, stepRowsOf(step))
      if (!sameCounters(counters, receipt.after)) continue
      isOpen = false
      window++
    }
  }
}

/** Cover and inputs as messages of the audit protocol, each as full as it may be. */
export async function* inputMessages(
  cover: Pick<CoveringReceipt, 'receipt' | 'proof'>,
  inputs: AsyncIterable<AuditItem>,
): AsyncGenerator<Uint8Array, void, void> {
  yield encodeAuditAnswer(coverAnswer(cover))
  let items: AuditItem[] = []
  let bytes = 0
  for await (const item of inputs) {
    items.push(item)
    bytes += auditItemBytes(item)
    if (items.length < AUDIT_LIMITS.partItemsMax && bytes < AUDIT_LIMITS.partBytesMax) continue
    yield encodeAuditAnswer({ type: 'part', items })
    items = []
    bytes = 0
  }
  if (items.length > 0) yield encodeAuditAnswer({ type: 'part', items })
}

function receiptBytes(receipt: Receipt): Uint8Array {
  return writeReceipt(new Writer(RECEIPT_BYTES), receipt).finish()
}
