/**
 * The miner table: who serves, with what behind it, and what audits found of its work; and the table of peer keys, which names the one
 * operator of each. The deposit changes only by money.ts. Spec: docs/spec/market.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader } from '../../base/codec.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { readAccount, readCount, writeAccount, writeCount } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

const DEVICES = ['cpu', 'gpu'] as const
const STATUSES = ['active', 'draining', 'slashed-out'] as const
const DEVICE_BYTES = 1
/** Grains and a number of lots. */
const LOCKED_AND_LOTS_BYTES = 12

export type Device = (typeof DEVICES)[number]

/** Draining: took its whole deposit while lots were open, and goes with the last of them. Slashed out: has no new lots, ever. */
export type MinerStatus = (typeof STATUSES)[number]

export interface MinerRecord {
  /** Where its pay goes. */
  readonly payout: AccountId
  /** Ed25519, 32 bytes: the peer that serves. */
  readonly peerKey: Uint8Array
  readonly device: Device
  /** Grains. */
  readonly deposit: bigint
  /** Grains of the deposit that stand behind open lots. */
  readonly locked: bigint
  /** Lots of leases that are not settled. */
  readonly openLots: number
  readonly status: MinerStatus
  readonly registeredHeight: number
  /** Compute units per second × 2¹⁶, an average over audited receipts; 0 without any. */
  readonly workRate: bigint
  /** 65,535 is all: an average over audited receipts. */
  readonly reliability: number
  readonly auditedReceipts: number
  /** Grains of this epoch's audited work, to be issued at its end. */
  readonly workValue: bigint
  /** Number of the day that the first of the daily units belongs to. */
  readonly day: number
  /** Audited compute units of that day and the thirteen before it. */
  readonly dailyUnits: readonly bigint[]
}

/** Reliability of who was never found at fault. */
export const FULL_RELIABILITY = 0xffff

/** What a miner begins with; the deposit is moved to it. */
export function newMiner(
  own: Pick<MinerRecord, 'payout' | 'peerKey' | 'device'>,
  registeredHeight: number,
): MinerRecord {
  return {
    ...own,
    ...{ deposit: 0n, locked: 0n, openLots: 0, status: 'active', registeredHeight },
    ...{ workRate: 0n, reliability: FULL_RELIABILITY, auditedReceipts: 0, workValue: 0n, day: 0 },
    dailyUnits: Array<bigint>(MARKET_LIMITS.powerDays).fill(0n),
  }
}

/** What is compared of many miners at once. */
export type MinerStanding = Pick<MinerRecord, 'deposit' | 'status' | 'registeredHeight'>

export function minerKey(operator: AccountId): StateKey {
  return stateKey(TABLE.miner, operator)
}

export function getMiner(state: ReadState, operator: AccountId): MinerRecord | undefined {
  return getRecord(state, minerKey(operator), readMiner)
}

/** A part of the record, in a third of the time that all of it takes. */
export function getStanding(state: ReadState, operator: AccountId): MinerStanding | undefined {
  return getRecord(state, minerKey(operator), readStanding)
}

/**
 * Keeps the table of peer keys. undefined removes the miner, and so does a draining record without deposit and lots: whoever closes
 * a lot need not think of it. Asserts that no grains go, and that nobody else has the peer key.
 */
export function putMiner(state: WriteState, operator: AccountId, record: MinerRecord | undefined): void {
  const kept = record !== undefined && isGone(record) ? undefined : record
  const before = getMiner(state, operator)
  if (before !== undefined && (kept === undefined || !hasPeerKey(before, kept.peerKey))) {
    assert(kept !== undefined || (record ?? before).deposit === 0n, 'a miner is removed without money in it')
    state.set(peerKeyKey(before.peerKey), undefined)
  }
  if (kept === undefined) {
    state.set(minerKey(operator), undefined)
    return
  }
  const owner = operatorOfPeerKey(state, kept.peerKey)
  assert(owner === undefined || owner === operator, 'a peer serves one operator')
  if (owner === undefined) putRecord(state, peerKeyKey(kept.peerKey), (writer) => writeAccount(writer, operator))
  putRecord(state, minerKey(operator), (writer) => {
    writeAccount(writer, kept.payout).raw(kept.peerKey).u8(DEVICES.indexOf(kept.device))
    writer.u64(kept.deposit).u64(kept.locked).u32(kept.openLots).u8(STATUSES.indexOf(kept.status))
    writeCount(writer, kept.registeredHeight).u64(kept.workRate).u16(kept.reliability).u32(kept.auditedReceipts)
    writer
      .u64(kept.workValue)
      .u32(kept.day)
      .list(kept.dailyUnits, (inner, units) => inner.u64(units))
  })
}

/** Whether this is the miner's peer key. */
export function hasPeerKey(miner: MinerRecord, peerKey: Uint8Array): boolean {
  return miner.peerKey.every((byte, index) => byte === peerKey[index])
}

/** All, in the order of their operators. */
export function* miners(state: ReadState): Iterable<readonly [AccountId, MinerRecord]> {
  for (const [key, record] of records(state, stateKey(TABLE.miner), readMiner)) yield [accountInKey(key, 0), record]
}

export function peerKeyKey(peerKey: Uint8Array): StateKey {
  return stateKey(TABLE.peerKey, bytesToHex(peerKey))
}

/** The miner whose peer has this 32-byte key, or undefined. */
export function operatorOfPeerKey(state: ReadState, peerKey: Uint8Array): AccountId | undefined {
  return getRecord(state, peerKeyKey(peerKey), readAccount)
}

/** Peer keys as hexadecimal digits and the operators they serve; only a store that indexes this table has them. */
export function* peerKeys(state: ReadState): Iterable<readonly [string, AccountId]> {
  for (const [key, operator] of records(state, stateKey(TABLE.peerKey), readAccount)) {
    yield [hexInKey(key, 0, PUBLIC_KEY_BYTES), operator]
  }
}

/** @throws CodecError. */
export function readMiner(reader: Reader): MinerRecord {
  return {
    payout: readAccount(reader),
    peerKey: reader.raw(PUBLIC_KEY_BYTES),
    device: readDevice(reader),
    deposit: reader.u64(),
    locked: reader.u64(),
    openLots: reader.u32(),
    status: readOneOf(reader, STATUSES),
    registeredHeight: readCount(reader),
    workRate: reader.u64(),
    reliability: reader.u16(),
    auditedReceipts: reader.u32(),
    workValue: reader.u64(),
    day: reader.u32(),
    dailyUnits: readDailyUnits(reader),
  }
}

function readStanding(reader: Reader): MinerStanding {
  reader.raw(ADDRESS_HASH_BYTES + PUBLIC_KEY_BYTES + DEVICE_BYTES)
  const deposit = reader.u64()
  reader.raw(LOCKED_AND_LOTS_BYTES)
  const status = readOneOf(reader, STATUSES)
  const registeredHeight = readCount(reader)
  reader.raw(reader.remaining)
  return { deposit, status, registeredHeight }
}

export function readDevice(reader: Reader): Device {
  return readOneOf(reader, DEVICES)
}

export function deviceNumber(device: Device): number {
  return DEVICES.indexOf(device)
}

function readDailyUnits(reader: Reader): bigint[] {
  const units = reader.list(MARKET_LIMITS.powerDays, (inner) => inner.u64())
  if (units.length === MARKET_LIMITS.powerDays) return units
  throw new CodecError('CODEC_BAD_VALUE', 'A miner has a record of other days than there are.')
}

function readOneOf<Name extends string>(reader: Reader, names: readonly Name[]): Name {
  const name = names[reader.u8()]
  if (name === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A miner has an unknown device or status.')
  return name
}

function isGone({ status, deposit, openLots }: MinerRecord): boolean {
  return status === 'draining' && deposit === 0n && openLots === 0
}
