/**
 * The lease table: who may use which miners for how much, what was promised for work so far, and which lots were claimed; and the open
 * leases of each payer. A lease carries all that settles it. The escrow changes only by money.ts. Spec: docs/spec/market.md §2, §5.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, Writer } from '../../base/codec.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { HASH_BYTES, hashOf, readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../fields.ts'
import { taggedHash } from '../hash.ts'
import { type Counters, readCounters, writeCounters } from '../market/counters.ts'
import type { SegmentWork } from '../market/work.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

const STATUSES = ['open', 'closing', 'auditing'] as const
const LOT_STATES = ['unclaimed', 'claimed', 'faulted'] as const

/** Closing: no more work, claims until it is due. Auditing: waits for the last of its audits. */
export type LeaseStatus = (typeof STATUSES)[number]
export type LotState = (typeof LOT_STATES)[number]

/** What a lease keeps to its end, whatever is voted meanwhile: people sign vouchers and receipts by it. */
export interface LeaseTerms {
  /** Grains per compute unit. */
  readonly price: bigint
  /** Rows of a prompt that a row of a decode step counts as. */
  readonly decodeWeight: bigint
  /** Per mille of the charge. */
  readonly treasuryShare: bigint
  /** Per mille of the charge. */
  readonly stakerShare: bigint
  /** Weighted rows that a receipt covers, at most. */
  readonly receiptRows: bigint
}

export interface LotRecord {
  readonly operator: AccountId
  /** Who serves when the operator does not; nobody when there was no second. */
  readonly standby: AccountId | undefined
  /** The segment after its last; it begins where the lot before it ends. */
  readonly end: number
  /** Sums over its segments. */
  readonly work: SegmentWork
  /** Grains per compute unit that the operator gets. */
  readonly rate: bigint
  /** Grains of the operator's deposit that are locked for it; 0 once it was found faulty. */
  readonly task: bigint
  /** Of the placement at the time. */
  readonly incarnation: bigint
  /** Weighted rows that its receipts cover, from the first of the lease on: it is paid for these, and audited in these. */
  readonly rows: number
  /** Over its receipts; zeros while it is not claimed. */
  readonly root: Hash
  readonly state: LotState
}

export interface LeaseRecord {
  readonly payer: AccountId
  /** Hash of the manifest. */
  readonly model: Hash
  /** Ed25519, 32 bytes: signs the vouchers. */
  readonly voucherKey: Uint8Array
  readonly terms: LeaseTerms
  /** Grains that it may cost, at most. */
  readonly cap: bigint
  /** Grains set aside for it: the cap until it is settled. */
  readonly escrow: bigint
  readonly openedHeight: number
  /** The last block in which it is open. */
  readonly expiryHeight: number
  /** At whose end something happens to it: the expiry while it is open, then the block that draws its audits or settles it. */
  readonly dueHeight: number
  readonly status: LeaseStatus
  /** Of the voucher that counts; 0 without one. */
  readonly seq: bigint
  readonly counters: Counters
  readonly transcript: Hash
  readonly lots: readonly LotRecord[]
  /** Audits that have no result yet. */
  readonly openAudits: number
}

/** `nonce`: of the transaction that opens it. */
export function leaseIdOf(networkId: Hash, payer: AccountId, nonce: bigint): Hash {
  const number = new Writer(8).u64(nonce).finish()
  return hashOf(taggedHash('dllm/lease', hexToBytes(networkId), hexToBytes(payer), number))
}

export function leaseKey(id: Hash): StateKey {
  return stateKey(TABLE.lease, id)
}

export function getLease(state: ReadState, id: Hash): LeaseRecord | undefined {
  return getRecord(state, leaseKey(id), readLease)
}

/** Keeps the table of open leases by payer. undefined removes it, which must have no escrow. Dues are for lease-dues.ts. */
export function putLease(state: WriteState, id: Hash, lease: LeaseRecord | undefined): void {
  const before = getLease(state, id)
  if (before !== undefined) putOpen(state, { payer: before.payer, id }, lease?.status === 'open')
  else if (lease !== undefined) putOpen(state, { payer: lease.payer, id }, lease.status === 'open')
  if (lease === undefined) state.set(leaseKey(id), undefined)
  else putRecord(state, leaseKey(id), (writer) => writeLease(writer, lease))
}

/** All, in the order of their ids. */
export function* leases(state: ReadState): Iterable<readonly [Hash, LeaseRecord]> {
  for (const [key, lease] of records(state, stateKey(TABLE.lease), readLease)) {
    yield [hash(hexInKey(key, 0, HASH_BYTES)), lease]
  }
}

/** The open leases of one payer in the order of their ids, or of all; at most `leasesPerAccountMax` of each. */
export function* openLeases(state: ReadState, payer?: AccountId): Iterable<Hash> {
  const prefix = payer === undefined ? stateKey(TABLE.openLease) : stateKey(TABLE.openLease, payer)
  for (const [key] of state.entries(prefix)) yield hash(hexInKey(key, ADDRESS_HASH_BYTES, HASH_BYTES))
}

function putOpen(state: WriteState, of: { readonly payer: AccountId; readonly id: Hash }, isOpen: boolean): void {
  const key = stateKey(TABLE.openLease, of.payer, of.id)
  if (isOpen === (state.get(key) !== undefined)) return
  state.set(key, isOpen ? Uint8Array.of(0) : undefined)
}

function writeLease(writer: Writer, lease: LeaseRecord): void {
  writeHash(writeAccount(writer, lease.payer), lease.model).raw(lease.voucherKey)
  const { price, decodeWeight, treasuryShare, stakerShare, receiptRows } = lease.terms
  writer.u64(price).u64(decodeWeight).u64(treasuryShare).u64(stakerShare).u64(receiptRows)
  writer.u64(lease.cap).u64(lease.escrow)
  for (const height of [lease.openedHeight, lease.expiryHeight, lease.dueHeight]) writeCount(writer, height)
  writer.u8(STATUSES.indexOf(lease.status)).u64(lease.seq)
  writeCounters(writer, lease.counters)
  writeHash(writer, lease.transcript).list(lease.lots, writeLot).u16(lease.openAudits)
}

/** @throws CodecError. */
export function readLease(reader: Reader): LeaseRecord {
  return {
    payer: readAccount(reader),
    model: readHash(reader),
    voucherKey: reader.raw(PUBLIC_KEY_BYTES),
    terms: readTerms(reader),
    cap: reader.u64(),
    escrow: reader.u64(),
    openedHeight: readCount(reader),
    expiryHeight: readCount(reader),
    dueHeight: readCount(reader),
    status: readOneOf(reader, STATUSES),
    seq: reader.u64(),
    counters: readCounters(reader),
    transcript: readHash(reader),
    lots: reader.list(MARKET_LIMITS.leaseLotsMax, readLot),
    openAudits: reader.u16(),
  }
}

function readTerms(reader: Reader): LeaseTerms {
  return {
    price: reader.u64(),
    decodeWeight: reader.u64(),
    treasuryShare: reader.u64(),
    stakerShare: reader.u64(),
    receiptRows: reader.u64(),
  }
}

function writeLot(writer: Writer, lot: LotRecord): void {
  writeAccount(writer, lot.operator).u8(lot.standby === undefined ? 0 : 1)
  if (lot.standby !== undefined) writeAccount(writer, lot.standby)
  writer.u16(lot.end).u64(lot.work.linear).u64(lot.work.attention)
  writer.u64(lot.rate).u64(lot.task).u64(lot.incarnation).u32(lot.rows)
  writeHash(writer, lot.root).u8(LOT_STATES.indexOf(lot.state))
}

function readLot(reader: Reader): LotRecord {
  return {
    operator: readAccount(reader),
    standby: reader.flag() ? readAccount(reader) : undefined,
    end: reader.u16(),
    work: { linear: reader.u64(), attention: reader.u64() },
    rate: reader.u64(),
    task: reader.u64(),
    incarnation: reader.u64(),
    rows: reader.u32(),
    root: readHash(reader),
    state: readOneOf(reader, LOT_STATES),
  }
}

function readOneOf<Name extends string>(reader: Reader, names: readonly Name[]): Name {
  const name = names[reader.u8()]
  if (name === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A lease has an unknown status, or a lot of it.')
  return name
}
