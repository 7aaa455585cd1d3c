/**
 * What a client keeps of a lease, as bytes: who pays, the secret of its voucher key, and, once the chain has it, what the ring needs. Who reads
 * the secret can spend this lease and nothing else. Spec: docs/spec/market.md §9.2, docs/spec/home.md §7.
 * @module
 */
import type { AccountId, Hash, Milliseconds } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { PUBLIC_KEY_BYTES, SECRET_KEY_BYTES } from '../../core/ed25519.ts'
import { readAccount, readCount, readHash, readTime, writeAccount, writeCount, writeHash } from '../../core/fields.ts'
import type { LeasedLot, OpenLease } from './lease-source.ts'

export interface KeptLease {
  readonly id: Hash
  /** Hash of the network's genesis. */
  readonly networkId: Hash
  readonly model: Hash
  readonly payer: AccountId
  /** Of the transaction that opens it. */
  readonly nonce: bigint
  /** Of its voucher key, 32 bytes. */
  readonly secret: Uint8Array
  /** The last block in which it is open. */
  readonly expiryHeight: number
  /** Unix time until which it is open, as far as heights tell. */
  readonly openUntilMs: Milliseconds
  /** undefined: it was about to be handed in, and nobody has looked since. */
  readonly opened: Opened | undefined
}

/** What the chain gave. */
export type Opened = Pick<OpenLease, 'terms' | 'cap' | 'voucherKey' | 'lots'>

const VERSION = 1

export function encodeKeptLease(kept: KeptLease): Uint8Array {
  const { id, networkId, model, payer, nonce, secret, expiryHeight, openUntilMs, opened } = kept
  const writer = new Writer()
  writeHash(writeHash(writeHash(writer.u8(VERSION), id), networkId), model)
  writeCount(writeAccount(writer, payer).u64(nonce).raw(secret), expiryHeight).u64(BigInt(openUntilMs))
  writer.u8(opened === undefined ? 0 : 1)
  if (opened !== undefined) writeOpened(writer, opened)
  return writer.finish()
}

/** @throws CodecError. */
export function decodeKeptLease(bytes: Uint8Array): KeptLease {
  const reader = new Reader(bytes)
  if (reader.u8() !== VERSION) throw new CodecError('CODEC_BAD_VALUE', 'The lease was kept by another version.')
  const kept: KeptLease = {
    id: readHash(reader),
    networkId: readHash(reader),
    model: readHash(reader),
    payer: readAccount(reader),
    nonce: reader.u64(),
    secret: reader.raw(SECRET_KEY_BYTES).slice(),
    expiryHeight: readCount(reader),
    openUntilMs: readTime(reader),
    opened: reader.flag() ? readOpened(reader) : undefined,
  }
  reader.finish()
  return kept
}

/** The lease as the ring uses it. */
export function openLeaseIn(kept: KeptLease, opened: Opened): OpenLease {
  const { id, networkId, model, payer, openUntilMs } = kept
  return { id, networkId, model, payer, openUntilMs, ...opened }
}

function writeOpened(writer: Writer, { terms, cap, voucherKey, lots }: Opened): void {
  const { price, decodeWeight, treasuryShare, stakerShare, receiptRows } = terms
  writer.u64(price).u64(decodeWeight).u64(treasuryShare).u64(stakerShare).u64(receiptRows)
  writer.u64(cap).raw(voucherKey).list(lots, writeLot)
}

function readOpened(reader: Reader): Opened {
  return {
    terms: {
      price: reader.u64(),
      decodeWeight: reader.u64(),
      treasuryShare: reader.u64(),
      stakerShare: reader.u64(),
      receiptRows: reader.u64(),
    },
    cap: reader.u64(),
    voucherKey: reader.raw(PUBLIC_KEY_BYTES).slice(),
    lots: reader.list(MARKET_LIMITS.leaseLotsMax, readLot),
  }
}

function writeLot(writer: Writer, { operator, peerKey, firstSegment, lastSegment, work, rate }: LeasedLot): void {
  writeAccount(writer, operator).raw(peerKey).u16(firstSegment).u16(lastSegment)
  writer.u64(work.linear).u64(work.attention).u64(rate)
}

function readLot(reader: Reader): LeasedLot {
  return {
    operator: readAccount(reader),
    peerKey: reader.raw(PUBLIC_KEY_BYTES).slice(),
    firstSegment: reader.u16(),
    lastSegment: reader.u16(),
    work: { linear: reader.u64(), attention: reader.u64() },
    rate: reader.u64(),
  }
}
