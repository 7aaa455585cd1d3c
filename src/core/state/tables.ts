/**
 * The tables of the state by number, which of them are iterated, and how a record stands under its key.
 * Knows no record's meaning. Spec: docs/spec/chain.md §2.
 * @module
 */
import { type AccountId, accountId } from '../../base/brand.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import type { ReadState, StateKey, WriteState } from './state.ts'

/** First byte of a key. */
export const TABLE = {
  account: 1,
  validator: 2,
  bond: 3,
  unbonding: 4,
  validatorSet: 5,
  parameters: 6,
  proposal: 7,
  supply: 8,
  seed: 9,
  baseFee: 10,
  consensusKey: 11,
  evidence: 12,
  parameterVote: 13,
  openProposals: 14,
  ranking: 15,
  model: 16,
  miner: 17,
  placement: 18,
  lease: 19,
  leaseDue: 20,
  audit: 21,
  auditDue: 22,
  peerKey: 23,
  openLease: 24,
  power: 25,
  modelDue: 26,
  canaryReport: 27,
  leavingPlacement: 28,
} as const

/** Their keys are looked up and never walked, and there are many of them. */
const LOOKED_UP: ReadonlySet<number> = new Set([TABLE.account, TABLE.consensusKey, TABLE.evidence, TABLE.peerKey])
const KNOWN: ReadonlySet<number> = new Set(Object.values(TABLE))
/** Hex digits of the table byte. */
const TABLE_DIGITS = 2
const NUMBER_BYTES = 8

/** Number of the table of a key. */
export function tableOf(key: StateKey): number {
  return Number.parseInt(key.slice(0, TABLE_DIGITS), 16)
}

export function isKnownTable(key: StateKey): boolean {
  return KNOWN.has(tableOf(key))
}

/** What applying blocks iterates: the `indexed` of a node's state store. A checker of the whole state indexes all. */
export function isIterated(key: StateKey): boolean {
  return !LOOKED_UP.has(tableOf(key))
}

/** The hexadecimal digits of `count` bytes that begin `offset` bytes after the table byte. */
export function hexInKey(key: StateKey, offset: number, count: number): string {
  const start = TABLE_DIGITS + 2 * offset
  return key.slice(start, start + 2 * count)
}

/** The account id that begins `offset` bytes after the table byte. */
export function accountInKey(key: StateKey, offset: number): AccountId {
  return accountId(hexInKey(key, offset, ADDRESS_HASH_BYTES))
}

/** The number of eight bytes that begins `offset` bytes after the table byte. */
export function numberInKey(key: StateKey, offset: number): number {
  return Number.parseInt(hexInKey(key, offset, NUMBER_BYTES), 16)
}

/** The record of a key, or undefined. @throws CodecError when the store holds something else. */
export function getRecord<Value>(state: ReadState, key: StateKey, read: (reader: Reader) => Value): Value | undefined {
  const bytes = state.get(key)
  return bytes === undefined ? undefined : decodeRecord(bytes, read)
}

/** The records whose keys begin with `prefix`, in the order of the keys. Do not write while iterating. */
export function* records<Value>(
  state: ReadState,
  prefix: StateKey,
  read: (reader: Reader) => Value,
): Iterable<readonly [StateKey, Value]> {
  for (const [key, bytes] of state.entries(prefix)) yield [key, decodeRecord(bytes, read)]
}

/** @throws CodecError when these bytes are not one whole record. */
export function decodeRecord<Value>(bytes: Uint8Array, read: (reader: Reader) => Value): Value {
  const reader = new Reader(bytes)
  const value = read(reader)
  reader.finish()
  return value
}

/** Writes what `write` encodes under `key`. */
export function putRecord(state: WriteState, key: StateKey, write: (writer: Writer) => void): void {
  const writer = new Writer(64)
  write(writer)
  // The writer's buffer is larger than the record; a state of millions of records keeps exact copies.
  state.set(key, writer.finish().slice())
}
