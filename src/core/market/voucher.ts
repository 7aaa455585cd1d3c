/**
 * Vouchers: what a client signs for the work that a lease has done so far. Knows no lease: whether the work is worth the cap is for
 * charge.ts. Spec: docs/spec/market.md §5.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { type Reader, Writer } from '../../base/codec.ts'
import { type FastAcceptance, SIGNATURE_BYTES, sign, verify } from '../ed25519.ts'
import { readHash, writeHash } from '../fields.ts'
import { taggedHasher } from '../hash.ts'
import { type Counters, readCounters, writeCounters } from './counters.ts'

export interface Voucher {
  readonly lease: Hash
  /** Grows with every voucher of a lease. */
  readonly seq: bigint
  /** All work of the lease until now. */
  readonly counters: Counters
  /** Of the tokens until now; see transcript.ts. */
  readonly transcript: Hash
}

export interface SignedVoucher extends Voucher {
  /** 64 bytes, of the lease's voucher key over `voucherDigest`. */
  readonly signature: Uint8Array
}

/** Encoded, without the signature. */
export const VOUCHER_BYTES = 104

const voucherHash = taggedHasher('dllm/voucher')

export function writeVoucher(writer: Writer, { lease, seq, counters, transcript }: Voucher): Writer {
  writeCounters(writeHash(writer, lease).u64(seq), counters)
  return writeHash(writer, transcript)
}

export function readVoucher(reader: Reader): Voucher {
  return {
    lease: readHash(reader),
    seq: reader.u64(),
    counters: readCounters(reader),
    transcript: readHash(reader),
  }
}

export function writeSignedVoucher(writer: Writer, voucher: SignedVoucher): Writer {
  return writeVoucher(writer, voucher).raw(voucher.signature)
}

export function readSignedVoucher(reader: Reader): SignedVoucher {
  return { ...readVoucher(reader), signature: reader.raw(SIGNATURE_BYTES) }
}

/** The 32 bytes that are signed. */
export function voucherDigest(networkId: Hash, voucher: Voucher): Uint8Array {
  return voucherHash(hexToBytes(networkId), writeVoucher(new Writer(VOUCHER_BYTES), voucher).finish())
}

/** `secretKey`: of the lease's voucher key, 32 bytes. */
export function signVoucher(networkId: Hash, voucher: Voucher, secretKey: Uint8Array): SignedVoucher {
  return { ...voucher, signature: sign(voucherDigest(networkId, voucher), secretKey) }
}

/** Whether the voucher was signed with `publicKey`, 32 bytes, for this network. */
export function isVoucherOf(
  publicKey: Uint8Array,
  voucher: SignedVoucher,
  { networkId, accepts }: { readonly networkId: Hash; readonly accepts?: FastAcceptance | undefined },
): boolean {
  return verify({ message: voucherDigest(networkId, voucher), signature: voucher.signature, publicKey }, accepts)
}
