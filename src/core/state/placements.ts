/**
 * The placement table: which segments of a model a miner says that it serves, how many leases at once, for how much and until when; and the table of
 * those that have ended while lots were open, which auctions, prices and looks do not read, so that they take nobody's place.
 * Spec: docs/spec/market.md §2, §4.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { HASH_BYTES, readCount, writeCount } from '../fields.ts'
import type { MinerRecord } from './miners.ts'
import { modelHashes } from './models.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

export interface PlacementId {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly operator: AccountId
}

export interface PlacementRecord {
  /** First segment of the run. */
  readonly first: number
  /** Exclusive. */
  readonly end: number
  /** Leases at once; 0 when it has ended and lots are open: then it stands in the table of those that are leaving. */
  readonly slots: number
  /** Open lots. */
  readonly used: number
  /** Grains per compute unit, at least. */
  readonly bid: bigint
  /** Last height at which it is live. */
  readonly until: number
  /** Grows with every start of the miner, so that a new one takes the place of its ghost. */
  readonly incarnation: bigint
}

export function placementKey({ model, operator }: PlacementId): StateKey {
  return stateKey(TABLE.placement, model, operator)
}

export function leavingPlacementKey({ model, operator }: PlacementId): StateKey {
  return stateKey(TABLE.leavingPlacement, model, operator)
}

/** Also one that has ended, without slots, while lots are open. */
export function getPlacement(state: ReadState, id: PlacementId): PlacementRecord | undefined {
  return getRecord(state, placementKey(id), readPlacement) ?? getRecord(state, leavingPlacementKey(id), readPlacement)
}

/**
 * undefined removes it, and so does a record without slots and open lots: whoever closes a lot need not think of it. One without slots stands among those
 * that are leaving.
 */
export function putPlacement(state: WriteState, id: PlacementId, record: PlacementRecord | undefined): void {
  const isOffered = record !== undefined && record.slots > 0
  const isLeaving = record !== undefined && record.slots === 0 && record.used > 0
  write(state, placementKey(id), isOffered ? record : undefined)
  write(state, leavingPlacementKey(id), isLeaving ? record : undefined)
}

function write(state: WriteState, key: StateKey, record: PlacementRecord | undefined): void {
  if (record === undefined) {
    if (state.get(key) !== undefined) state.set(key, undefined)
    return
  }
  putRecord(state, key, (writer) => {
    writer.u16(record.first).u16(record.end).u16(record.slots).u16(record.used).u64(record.bid)
    writeCount(writer, record.until).u64(record.incarnation)
  })
}

/** Those of a model with slots, in the order of their operators. */
export function* placements(state: ReadState, model: Hash): Iterable<readonly [AccountId, PlacementRecord]> {
  for (const [key, record] of records(state, stateKey(TABLE.placement, model), readPlacement)) {
    yield [accountInKey(key, HASH_BYTES), record]
  }
}

/** How many a model has with slots: nothing is decoded. */
export function countPlacements(state: ReadState, model: Hash): number {
  let count = 0
  for (const _ of state.entries(stateKey(TABLE.placement, model))) count++
  return count
}

/** Models and operators of all of them, those that are leaving last: nothing is decoded. */
export function* placementIds(state: ReadState, model?: Hash): Iterable<PlacementId> {
  for (const table of [TABLE.placement, TABLE.leavingPlacement]) {
    const prefix = model === undefined ? stateKey(table) : stateKey(table, model)
    for (const [key] of state.entries(prefix)) {
      yield { model: hash(hexInKey(key, 0, HASH_BYTES)), operator: accountInKey(key, HASH_BYTES) }
    }
  }
}

/** Those of an operator, in the order of the models. */
export function* placementsOf(state: ReadState, operator: AccountId): Iterable<readonly [Hash, PlacementRecord]> {
  for (const model of modelHashes(state)) {
    const record = getPlacement(state, { model, operator })
    if (record !== undefined) yield [model, record]
  }
}

/** Whether a placement counts at a height: it has not ended, and its miner is active. */
export function isLive(
  { until, slots }: PlacementRecord,
  miner: Pick<MinerRecord, 'status'> | undefined,
  height: number,
): boolean {
  return until >= height && slots > 0 && miner?.status === 'active'
}

/** @throws CodecError. */
export function readPlacement(reader: Reader): PlacementRecord {
  return {
    first: reader.u16(),
    end: reader.u16(),
    slots: reader.u16(),
    used: reader.u16(),
    bid: reader.u64(),
    until: readCount(reader),
    incarnation: reader.u64(),
  }
}
