/**
 * What the market did, kept by block and found by account and by lease: for earnings. The state forgets it, and it cannot be had from blocks
 * without carrying them out again, so it outlives them. Spec: docs/spec/store.md §7.
 * @module
 */
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, accountId, type Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import type { Steps } from '../../base/steps.ts'
import { isPayEvent, type MarketEvent, type PayEvent } from '../../core/market/events.ts'
import type { BatchOperation, KeyValueStore } from '../store/key-value.ts'
import { accountsOf, decodeMarketRecord, encodeMarketRecord, type MarketRecord } from './market-record.ts'
import * as keys from './store-keys.ts'

export interface PlacedRecord extends MarketRecord, keys.MarketPlace {}

interface RecordWish {
  /** Another page's `next`; the newest if left out. */
  readonly from?: string | undefined
  readonly limit: number
}

interface RecordPage {
  /** Newest first. */
  readonly records: readonly PlacedRecord[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string
}

export interface MarketIndex {
  /** The oldest height whose records are known; that after `height`, the newest block's, when none are. */
  since(height: number): Promise<number>
  /** Of any of these accounts, each record once. */
  records(accounts: readonly AccountId[], page: RecordWish): Promise<RecordPage>
  /** How a lease was settled; undefined when it was not, or before what is known. */
  settlement(lease: Hash): Promise<PlacedRecord | undefined>
  /** Forgets the records of blocks below `height`, of a bounded number per call; how many blocks. */
  prune(height: number): Promise<number>
}

/** What of a final block goes into the index. */
export interface MarketBlock {
  readonly height: number
  readonly timeMs: number
  readonly marketEvents: readonly MarketEvent[]
}

/** Some ten microseconds each. */
const EVENTS_PER_STEP = 32

/** Beside the block in one batch. `isFirst`: nothing is kept of blocks before it. */
export function* marketOperations(
  { height, timeMs, marketEvents }: MarketBlock,
  isFirst: boolean,
): Steps<BatchOperation[]> {
  const operations: BatchOperation[] = isFirst ? [sinceOperation(height)] : []
  const kept = marketEvents.filter(isPayEvent)
  operations.push(put(keys.marketCountKey(height), keys.numberBytes(kept.length)))
  for (const [position, event] of kept.entries()) {
    const place = { height, position }
    operations.push(put(keys.marketRecordKey(place), encodeMarketRecord({ timeMs, event })))
    for (const key of keysTo(event, place)) operations.push(put(key, keys.marketPlaceBytes(place)))
    if (position % EVENTS_PER_STEP === EVENTS_PER_STEP - 1) yield
  }
  return operations
}

export function sinceOperation(height: number): BatchOperation {
  return put(keys.MARKET_SINCE_KEY, keys.numberBytes(height))
}

export function createMarketIndex(store: KeyValueStore): MarketIndex {
  const known = async (): Promise<number | undefined> => {
    const bytes = await store.get(keys.MARKET_SINCE_KEY)
    return bytes && keys.readNumber(bytes)
  }
  const recordAt = async (place: keys.MarketPlace): Promise<PlacedRecord | undefined> => {
    const bytes = await store.get(keys.marketRecordKey(place))
    return bytes && { ...place, ...decodeMarketRecord(bytes) }
  }
  return {
    since: async (height) => (await known()) ?? height + 1,
    async records(accounts, { from, limit }) {
      const wanted = { from: isPlace(from) ? from : '', limit: limit + 1 }
      const lists = await Promise.all(accounts.map((account) => placesOf(store, account, wanted)))
      const places = [...new Set(lists.flat())].sort()
      const found = await Promise.all(places.slice(0, limit).map((text) => recordAt(placeOf(text))))
      const next = places[limit]
      // What was forgotten meanwhile is left out.
      return { records: found.filter((each) => each !== undefined), ...(next === undefined ? {} : { next }) }
    },
    async settlement(lease) {
      const bytes = await store.get(keys.settlementKey(lease))
      return bytes && recordAt(keys.readMarketPlace(bytes))
    },
    async prune(height) {
      const from = await known()
      // Not at every block: a batch of its own is for many of them.
      if (from === undefined || height - from < NODE_LIMITS.blocksPrunedPerCall) return 0
      const until = from + NODE_LIMITS.blocksPrunedPerCall
      const gone: Uint8Array[] = []
      for (let at = from; at < until; at++) {
        const found = await keysOfBlock(store, at)
        gone.push(...found.keys)
      }
      await store.batch([...gone.map(remove), sinceOperation(until)], { sync: false })
      return until - from
    },
  }
}

/** Everything that is kept of a block's records; `fault`: a sentence's end on the first thing that should be there and is not. */
export async function keysOfBlock(
  store: KeyValueStore,
  height: number,
): Promise<{ readonly keys: readonly Uint8Array[]; readonly fault?: string }> {
  const countKey = keys.marketCountKey(height)
  const count = await store.get(countKey)
  if (count === undefined) return { keys: [], fault: 'has no record of the market' }
  const found: Uint8Array[] = [countKey]
  let fault: string | undefined
  for (let position = 0; position < keys.readNumber(count); position++) {
    const place = { height, position }
    const key = keys.marketRecordKey(place)
    const bytes = await store.get(key)
    if (bytes === undefined) {
      fault ??= 'is missing a record of the market'
      continue
    }
    const leading = keysTo(decodeMarketRecord(bytes).event, place)
    const values = await Promise.all(leading.map((each) => store.get(each)))
    if (values.includes(undefined)) fault ??= 'has a record of the market that is not found'
    found.push(key, ...leading)
  }
  return { keys: found, ...(fault === undefined ? {} : { fault }) }
}

/** What a record is found by. */
function keysTo(event: PayEvent, place: keys.MarketPlace): Uint8Array[] {
  const own = accountsOf(event).map((account) => keys.marketOwnKey(account, place))
  return event.type === 'settled' ? [...own, keys.settlementKey(event.lease)] : own
}

/** Of an account's records, as their keys end. */
async function placesOf(
  store: KeyValueStore,
  account: AccountId,
  { from, limit }: { readonly from: string; readonly limit: number },
): Promise<string[]> {
  const prefix = keys.marketOwnPrefix(accountId(account))
  const range = { ...keys.rangeOf(prefix), from: concatBytes(prefix, hexToBytes(from)), limit }
  const found: string[] = []
  for await (const [key] of store.entries(range)) found.push(bytesToHex(key.subarray(prefix.length)))
  return found
}

function isPlace(from: string | undefined): from is string {
  return from !== undefined && from.length === 2 * keys.MARKET_PLACE_BYTES && /^[0-9a-f]+$/.test(from)
}

function placeOf(text: string): keys.MarketPlace {
  return keys.readMarketPlace(hexToBytes(text).map((byte) => 0xff - byte))
}

function put(key: Uint8Array, value: Uint8Array): BatchOperation {
  return { type: 'put', key, value }
}

function remove(key: Uint8Array): BatchOperation {
  return { type: 'delete', key }
}
