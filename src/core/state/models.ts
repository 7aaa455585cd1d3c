/**
 * The model table: what can be leased, how much work a row of each of its segments is, and what work costs now. The deposit changes
 * only by money.ts. Spec: docs/spec/market.md §2.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { HASH_BYTES, readAccount, writeAccount } from '../fields.ts'
import type { SegmentWork } from '../market/work.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

/** Retired: has no new leases. */
export type ModelStatus = 'active' | 'retired'

export interface ModelRecord {
  readonly publisher: AccountId
  /** Grains; 0 for models of the genesis file and for retired ones. */
  readonly deposit: bigint
  readonly name: string
  /** Positions that a session may use. */
  readonly context: number
  readonly status: ModelStatus
  /** Grains per compute unit. */
  readonly price: bigint
  /** 1 to 64, in their order. */
  readonly segments: readonly SegmentWork[]
}

export function modelKey(model: Hash): StateKey {
  return stateKey(TABLE.model, model)
}

/** `model`: hash of its manifest. */
export function getModel(state: ReadState, model: Hash): ModelRecord | undefined {
  return getRecord(state, modelKey(model), readModel)
}

/** undefined removes it; it must have neither deposit nor placements. */
export function putModel(state: WriteState, model: Hash, record: ModelRecord | undefined): void {
  if (record === undefined) {
    state.set(modelKey(model), undefined)
    return
  }
  putRecord(state, modelKey(model), (writer) => {
    writeAccount(writer, record.publisher).u64(record.deposit).text(record.name).u32(record.context)
    writer.u8(record.status === 'active' ? 0 : 1).u64(record.price)
    writeSegments(writer, record.segments)
  })
}

/** All, in the order of their hashes. */
export function* models(state: ReadState): Iterable<readonly [Hash, ModelRecord]> {
  for (const [key, record] of records(state, stateKey(TABLE.model), readModel)) yield [modelOfKey(key), record]
}

/** Their hashes alone: nothing is decoded. */
export function* modelHashes(state: ReadState): Iterable<Hash> {
  for (const [key] of state.entries(stateKey(TABLE.model))) yield modelOfKey(key)
}

/** @throws CodecError. */
export function readModel(reader: Reader): ModelRecord {
  return {
    publisher: readAccount(reader),
    deposit: reader.u64(),
    name: reader.text(MARKET_LIMITS.modelNameBytesMax),
    context: reader.u32(),
    status: readStatus(reader),
    price: reader.u64(),
    segments: readSegments(reader),
  }
}

/** A list of what the segments of a model work per row. @throws CodecError. */
export function readSegments(reader: Reader): SegmentWork[] {
  return reader.list(MARKET_LIMITS.segmentsMax, (inner) => ({ linear: inner.u64(), attention: inner.u64() }))
}

export function writeSegments(writer: Writer, segments: readonly SegmentWork[]): Writer {
  return writer.list(segments, (inner, { linear, attention }) => inner.u64(linear).u64(attention))
}

function readStatus(reader: Reader): ModelStatus {
  const value = reader.u8()
  if (value > 1) throw new CodecError('CODEC_BAD_VALUE', 'A model has an unknown status.')
  return value === 0 ? 'active' : 'retired'
}

function modelOfKey(key: StateKey): Hash {
  return hash(hexInKey(key, 0, HASH_BYTES))
}
