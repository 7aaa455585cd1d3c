/**
 * Messages of the audit protocol: an auditor asks the miner of an audited lot for what went into the lot, part by part, from the lease's first row
 * to the end of the receipt that covers the audited row. Bytes only: receipts, steps and proofs are the app's business, and so is who may ask.
 * Spec: docs/spec/wire.md §6.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../../base/brand.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { AUDIT_LIMITS, WIRE_LIMITS } from '../../base/limits.ts'
import type { ProtocolId, ProtocolOptions } from '../wire.ts'

export const AUDIT_PROTOCOL: ProtocolId = '/dllm/audit/1'
export const AUDIT_PROTOCOL_OPTIONS: ProtocolOptions = {
  messageBytesMax: AUDIT_LIMITS.messageBytesMax,
  channelsPerPeerMax: AUDIT_LIMITS.channelsPerPeerMax,
}

/** Of an audit's id and of a receipt without its signature (docs/spec/market.md §2, §9.3). */
const AUDIT_BYTES = 37
const RECEIPT_BYTES = 201
const HASH_BYTES = 32
const CODE_BYTES_MAX = 64

export type AuditQuestion =
  /** The first message of a channel; `cover` or `refused` answers it. */
  | { readonly type: 'ask'; readonly audit: Uint8Array }
  /** A part more; the end marker answers it after the last one. */
  | { readonly type: 'next' }

export type AuditAnswer =
  /** The receipt that covers the audited row, and that it is under the root that was claimed. */
  | {
      readonly type: 'cover'
      readonly receipt: Uint8Array
      readonly index: number
      readonly count: number
      readonly siblings: readonly Hash[]
    }
  /** What comes next, in order. */
  | { readonly type: 'part'; readonly items: readonly AuditItem[] }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }

export type AuditItem =
  /** A window begins, whose receipt this is, without its signature. */
  | { readonly type: 'receipt'; readonly receipt: Uint8Array }
  /** A step of the window, as it is digested. */
  | { readonly type: 'step'; readonly step: Uint8Array }

export function encodeAuditQuestion(question: AuditQuestion): Uint8Array {
  const writer = new Writer(1 + AUDIT_BYTES)
  return question.type === 'ask' ? writer.u8(0).raw(question.audit).finish() : writer.u8(1).finish()
}

/** @throws CodecError. */
export function decodeAuditQuestion(bytes: Uint8Array): AuditQuestion {
  const reader = new Reader(bytes)
  const question: AuditQuestion = reader.flag() ? { type: 'next' } : { type: 'ask', audit: reader.raw(AUDIT_BYTES) }
  reader.finish()
  return question
}

export function encodeAuditAnswer(answer: AuditAnswer): Uint8Array {
  switch (answer.type) {
    case 'cover':
      return new Writer(1_024)
        .u8(0)
        .raw(answer.receipt)
        .u32(answer.index)
        .u32(answer.count)
        .list(answer.siblings, (writer, sibling) => writer.raw(hexToBytes(sibling)))
        .finish()
    case 'part':
      return new Writer(64 + answer.items.reduce((sum, item) => sum + auditItemBytes(item), 0))
        .u8(1)
        .list(answer.items, writeItem)
        .finish()
    case 'refused':
      return new Writer().u8(2).text(answer.code).text(answer.message).finish()
  }
}

/** What an item takes in a part. */
export function auditItemBytes(item: AuditItem): number {
  return item.type === 'receipt' ? 1 + RECEIPT_BYTES : 1 + 4 + item.step.length
}

/** @throws CodecError. */
export function decodeAuditAnswer(bytes: Uint8Array): AuditAnswer {
  const reader = new Reader(bytes)
  const answer = readAnswer(reader)
  reader.finish()
  return answer
}

function readAnswer(reader: Reader): AuditAnswer {
  switch (reader.u8()) {
    case 0:
      return {
        type: 'cover',
        receipt: reader.raw(RECEIPT_BYTES),
        index: reader.u32(),
        count: reader.u32(),
        siblings: reader.list(AUDIT_LIMITS.siblingsMax, (inner) => hash(bytesToHex(inner.raw(HASH_BYTES)))),
      }
    case 1:
      return { type: 'part', items: reader.list(AUDIT_LIMITS.partItemsMax, readItem) }
    case 2:
      return {
        type: 'refused',
        code: reader.text(CODE_BYTES_MAX),
        message: reader.text(WIRE_LIMITS.errorTextBytesMax),
      }
    default:
      throw new CodecError('CODEC_BAD_VALUE', 'The answer to an auditor is of an unknown kind.')
  }
}

function writeItem(writer: Writer, item: AuditItem): void {
  if (item.type === 'receipt') writer.u8(0).raw(item.receipt)
  else writer.u8(1).bytes(item.step)
}

function readItem(reader: Reader): AuditItem {
  if (!reader.flag()) return { type: 'receipt', receipt: reader.raw(RECEIPT_BYTES) }
  return { type: 'step', step: reader.bytes(WIRE_LIMITS.stageMessageBytesMax) }
}
