/**
 * Receipts: what a miner signs for a window of its lot, and what may be told of it and when. The digest of what came out stays
 * hidden behind a commitment until the auditors have said what they found. Knows no ring and no state.
 * Spec: docs/spec/market.md §8, §9.3.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { type Reader, Writer } from '../../base/codec.ts'
import { type FastAcceptance, SIGNATURE_BYTES, sign, verify } from '../ed25519.ts'
import { hashOf, readHash, writeHash, ZERO_HASH } from '../fields.ts'
import { taggedHasher } from '../hash.ts'
import { type Counters, readCounters, writeCounters } from './counters.ts'

export interface Receipt {
  readonly lease: Hash
  readonly lot: number
  /** Number of the receipt in its lot, from 0. */
  readonly window: number
  /** All work of the lease before the window. */
  readonly before: Counters
  /** And after it. */
  readonly after: Counters
  /** Of the rows that came in. */
  readonly inDigest: Hash
  /** `outCommitmentOf` the digest of the rows that went out. */
  readonly outCommitment: Hash
  /** That the window took. */
  readonly milliseconds: number
  /** Hash of the receipt before it; zeros for the first. */
  readonly previous: Hash
}

export interface SignedReceipt extends Receipt {
  /** 64 bytes, of the miner's peer key over `receiptDigest`. */
  readonly signature: Uint8Array
}

/** Encoded, without the signature. */
export const RECEIPT_BYTES = 201

/** `previous` of the first receipt of a lot. */
export const NO_RECEIPT: Hash = ZERO_HASH

const hashReceipt = taggedHasher('dllm/receipt')
const hashSigned = taggedHasher('dllm/receipt-signature')
const hashNext = taggedHasher('dllm/receipt-countersignature')
const hashOut = taggedHasher('dllm/receipts/out')
const hashFinding = taggedHasher('dllm/finding')

export function writeReceipt(writer: Writer, receipt: Receipt): Writer {
  writeHash(writer, receipt.lease).u8(receipt.lot).u32(receipt.window)
  writeCounters(writeCounters(writer, receipt.before), receipt.after)
  writeHash(writeHash(writer, receipt.inDigest), receipt.outCommitment).u32(receipt.milliseconds)
  return writeHash(writer, receipt.previous)
}

export function readReceipt(reader: Reader): Receipt {
  return {
    lease: readHash(reader),
    lot: reader.u8(),
    window: reader.u32(),
    before: readCounters(reader),
    after: readCounters(reader),
    inDigest: readHash(reader),
    outCommitment: readHash(reader),
    milliseconds: reader.u32(),
    previous: readHash(reader),
  }
}

export function writeSignedReceipt(writer: Writer, receipt: SignedReceipt): Writer {
  return writeReceipt(writer, receipt).raw(receipt.signature)
}

export function readSignedReceipt(reader: Reader): SignedReceipt {
  return { ...readReceipt(reader), signature: reader.raw(SIGNATURE_BYTES) }
}

/** What the next receipt names, and a leaf of the lot's tree. */
export function receiptHash(receipt: Receipt): Hash {
  return hashOf(hashReceipt(encoded(receipt)))
}

/** The 32 bytes that the peer key signs. */
export function receiptDigest(networkId: Hash, receipt: Receipt): Uint8Array {
  return hashSigned(hexToBytes(networkId), encoded(receipt))
}

/** `secretKey`: of the miner's peer key, 32 bytes. */
export function signReceipt(networkId: Hash, receipt: Receipt, secretKey: Uint8Array): SignedReceipt {
  return { ...receipt, signature: sign(receiptDigest(networkId, receipt), secretKey) }
}

/** Whether the receipt was signed with `publicKey`, 32 bytes, for this network. */
export function isReceiptOf(
  publicKey: Uint8Array,
  receipt: SignedReceipt,
  { networkId, accepts }: { readonly networkId: Hash; readonly accepts?: FastAcceptance | undefined },
): boolean {
  return verify({ message: receiptDigest(networkId, receipt), signature: receipt.signature, publicKey }, accepts)
}

/** What the next hop received: it signs that for the hop before it. */
export interface Handover extends Pick<Receipt, 'lease' | 'lot' | 'window'> {
  readonly outDigest: Hash
}

/** The 32 bytes that the next hop signs with its peer key. */
export function handoverDigest(networkId: Hash, { lease, lot, window, outDigest }: Handover): Uint8Array {
  const writer = writeHash(writeHash(new Writer(101), lease).u8(lot).u32(window), outDigest)
  return hashNext(hexToBytes(networkId), writer.finish())
}

/** What a receipt shows of the digest of what went out; nobody tries all salts of 32 random bytes. */
export function outCommitmentOf(outDigest: Hash, salt: Hash): Hash {
  return hashOf(hashOut(hexToBytes(outDigest), hexToBytes(salt)))
}

/**
 * What auditors compare: the work of the window, what came in and what went out. Who claims work that was not done, or an input that
 * nobody sent, is found as who computed something else.
 */
export function findingOf(window: Pick<Receipt, 'before' | 'after' | 'inDigest'>, outDigest: Hash): Hash {
  const writer = writeCounters(writeCounters(new Writer(128), window.before), window.after)
  return hashOf(hashFinding(writeHash(writeHash(writer, window.inDigest), outDigest).finish()))
}

/** What an auditor finds that got no data, or data that is not what was signed. */
export const UNAVAILABLE: Hash = ZERO_HASH

function encoded(receipt: Receipt): Uint8Array {
  return writeReceipt(new Writer(RECEIPT_BYTES), receipt).finish()
}
