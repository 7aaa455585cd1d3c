/**
 * One record of a lot's journal: a voucher, the steps that it pays for, the receipts that they filled, and the receipt that is still open. It is
 * written at once, so a crash leaves all of it or nothing.
 * Spec: docs/spec/market.md §9.3, §9.4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { WIRE_LIMITS } from '../../base/limits.ts'
import { readHash, writeHash } from '../../core/fields.ts'
import { type Counters, readCounters, writeCounters } from '../../core/market/counters.ts'
import { readSignedReceipt, type SignedReceipt, writeSignedReceipt } from '../../core/market/receipt.ts'
import { readSignedVoucher, type SignedVoucher, writeSignedVoucher } from '../../core/market/voucher.ts'
import type { RowDigest } from './row-digest.ts'

export interface KeptReceipt {
  readonly receipt: SignedReceipt
  /** What the receipt hides until it is audited. */
  readonly outDigest: Hash
  readonly salt: Hash
}

/** The receipt that is being filled. */
export interface OpenWindow {
  readonly window: number
  readonly before: Counters
  readonly inDigest: RowDigest
  readonly outDigest: RowDigest
  readonly computeMs: number
  /** Hash of the receipt before it. */
  readonly previous: Hash
}

export interface LotEntry {
  readonly voucher: SignedVoucher
  /** As row-digest.ts writes them. */
  readonly steps: readonly Uint8Array[]
  readonly receipts: readonly KeptReceipt[]
  /** After the steps. */
  readonly open: OpenWindow
}

/** A voucher pays for two windows at most: 512 rows, each a step at the least. */
const STEPS_MAX = 1_024

export function encodeLotEntry({ voucher, steps, receipts, open }: LotEntry): Uint8Array {
  const writer = new Writer(1_024 + steps.reduce((sum, { length }) => sum + length + 4, 0))
  writeSignedVoucher(writer, voucher)
  writer.list(steps, (inner, step) => inner.bytes(step))
  writer.list(receipts, (inner, { receipt, outDigest, salt }) => {
    writeHash(writeHash(writeSignedReceipt(inner, receipt), outDigest), salt)
  })
  writeCounters(writer.u32(open.window), open.before).raw(open.inDigest).raw(open.outDigest).f64(open.computeMs)
  return writeHash(writer, open.previous).finish()
}

/** @throws CodecError. */
export function decodeLotEntry(bytes: Uint8Array): LotEntry {
  const reader = new Reader(bytes)
  const entry: LotEntry = {
    voucher: readSignedVoucher(reader),
    steps: reader.list(STEPS_MAX, (inner) => inner.bytes(WIRE_LIMITS.stageMessageBytesMax)),
    receipts: reader.list(STEPS_MAX, (inner) => ({
      receipt: readSignedReceipt(inner),
      outDigest: readHash(inner),
      salt: readHash(inner),
    })),
    open: {
      window: reader.u32(),
      before: readCounters(reader),
      inDigest: reader.raw(32),
      outDigest: reader.raw(32),
      computeMs: reader.f64(),
      previous: readHash(reader),
    },
  }
  reader.finish()
  return entry
}
