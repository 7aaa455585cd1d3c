/**
 * The keys of a node's store: one byte says what, the rest which. Numbers are big-endian, so that keys sort by them.
 * Spec: docs/spec/store.md §7.
 * @module
 */
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { EntryRange } from '../store/key-value.ts'

/** Where the node stands: see node-store.ts. */
export const META_KEY: Uint8Array = utf8ToBytes('m')

/** Everything that begins with these letters. */
export function rangeOf(prefix: Uint8Array): EntryRange {
  const until = Uint8Array.from(prefix)
  until[until.length - 1]! += 1
  return { from: prefix, until }
}

export function stateKeyBytes(key: string): Uint8Array {
  return concatBytes(utf8ToBytes('s'), hexToBytes(key))
}
export const STATE_PREFIX: Uint8Array = utf8ToBytes('s')

export function blockKey(height: number): Uint8Array {
  return numbered('b', height)
}
export function commitKey(height: number): Uint8Array {
  return numbered('c', height)
}
export function blockHashKey(blockHash: Hash): Uint8Array {
  return concatBytes(utf8ToBytes('h'), hexToBytes(blockHash))
}
export function transactionKey(id: Hash): Uint8Array {
  return concatBytes(utf8ToBytes('t'), hexToBytes(id))
}
export function validatorSetKey(setHash: Hash): Uint8Array {
  return concatBytes(utf8ToBytes('v'), hexToBytes(setHash))
}

/** Newest first: heights and positions count down. */
export function historyKey(account: AccountId, height: number, position: number): Uint8Array {
  const counted = new Uint8Array(10)
  const view = new DataView(counted.buffer)
  view.setBigUint64(0, U64_MAX - BigInt(height))
  view.setUint16(8, U16_MAX - position)
  return concatBytes(historyPrefix(account), counted)
}
export function historyPrefix(account: AccountId): Uint8Array {
  return concatBytes(utf8ToBytes('a'), hexToBytes(account))
}

/** Since which height records of the market are kept. */
export const MARKET_SINCE_KEY: Uint8Array = utf8ToBytes('r')

/** How many of them a block has. */
export function marketCountKey(height: number): Uint8Array {
  return numbered('n', height)
}
export function marketRecordKey({ height, position }: MarketPlace): Uint8Array {
  return concatBytes(utf8ToBytes('e'), marketPlaceBytes({ height, position }))
}
export function settlementKey(lease: Hash): Uint8Array {
  return concatBytes(utf8ToBytes('l'), hexToBytes(lease))
}

/** Where a record of the market stands: in a block, from 0. */
export interface MarketPlace {
  readonly height: number
  readonly position: number
}

export const MARKET_PLACE_BYTES = 12

export function marketPlaceBytes({ height, position }: MarketPlace): Uint8Array {
  const bytes = new Uint8Array(MARKET_PLACE_BYTES)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(height))
  view.setUint32(8, position)
  return bytes
}
export function readMarketPlace(bytes: Uint8Array): MarketPlace {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { height: Number(view.getBigUint64(0)), position: view.getUint32(8) }
}

/** Newest first: heights and positions count down. */
export function marketOwnKey(account: AccountId, place: MarketPlace): Uint8Array {
  return concatBytes(
    marketOwnPrefix(account),
    marketPlaceBytes(place).map((byte) => 0xff - byte),
  )
}
export function marketOwnPrefix(account: AccountId): Uint8Array {
  return concatBytes(utf8ToBytes('i'), hexToBytes(account))
}

export function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
export function readNumber(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0))
}

const U64_MAX = 2n ** 64n - 1n
const U16_MAX = 0xffff

function numbered(letter: string, value: number): Uint8Array {
  return concatBytes(utf8ToBytes(letter), numberBytes(value))
}
