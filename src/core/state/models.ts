/**
 * The model table: what can be leased, how much work a row of each of its segments is, what work costs now, and where each version is in
 * its life. The table of dues follows its records. The deposit changes only by money.ts. Spec: docs/spec/market.md §2, §13.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { HASH_BYTES, readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../fields.ts'
import type { ModelClaim } from '../market/model-fault.ts'
import type { SegmentWork } from '../market/work.ts'
import { addModelDue, removeModelDue } from './model-dues.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

/** As their numbers say in a record: new ones go to the end. */
const STATUSES = ['active', 'retired', 'published', 'approved', 'superseded'] as const

/**
 * Published: waits for a vote. Approved: miners may place themselves on it, and it becomes active when enough have. Active: can be leased.
 * Superseded: another version took its place. Retired: is there for the lots that are open, if at all.
 */
export type ModelStatus = (typeof STATUSES)[number]

/** Prompts with what each segment gives for them, as a file: whoever runs it knows whether its machine computes the model right. */
export interface Canary {
  /** Of the file's tree of chunks. */
  readonly root: Hash
  readonly bytes: number
}

/** What a publisher says of a model beside its hash. */
export interface ModelTerms extends ModelClaim {
  /** Grains per compute unit, at first. */
  readonly price: bigint
  /** Hash of the model whose place it is to take; undefined: of none. */
  readonly predecessor?: Hash | undefined
  readonly canary?: Canary | undefined
}

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
  /** Of the block that registered it; 0 for models of the genesis file. */
  readonly registeredHeight: number
  readonly predecessor: Hash | undefined
  readonly canary: Canary | undefined
  /** Which model took its place: of superseded ones, and of approved ones that are to take it back. */
  readonly successor: Hash | undefined
  /** Of the block at whose end an approved model is looked at next, or a superseded one retires. */
  readonly dueHeight: number | undefined
  /** How often an approved model was looked at and not activated. */
  readonly tries: number
}

/** A new record, without its deposit. One that is to take a place is published, any other active at once. */
export function newModel(
  { name, context, price, segments, predecessor, canary }: ModelTerms,
  { publisher, height }: { readonly publisher: AccountId; readonly height: number },
): ModelRecord {
  return {
    ...{ publisher, deposit: 0n, name, context, status: predecessor === undefined ? 'active' : 'published' },
    ...{ price, segments, registeredHeight: height, predecessor, canary },
    ...{ successor: undefined, dueHeight: undefined, tries: 0 },
  }
}

export function modelKey(model: Hash): StateKey {
  return stateKey(TABLE.model, model)
}

/** `model`: hash of its manifest. */
export function getModel(state: ReadState, model: Hash): ModelRecord | undefined {
  return getRecord(state, modelKey(model), readModel)
}

/** undefined removes it; it must have neither deposit, placements nor canary reports. Its due goes along. */
export function putModel(state: WriteState, model: Hash, record: ModelRecord | undefined): void {
  moveDue(state, model, record?.dueHeight)
  if (record === undefined) {
    state.set(modelKey(model), undefined)
    return
  }
  putRecord(state, modelKey(model), (writer) => {
    writeAccount(writer, record.publisher).u64(record.deposit).text(record.name).u32(record.context)
    writer.u8(STATUSES.indexOf(record.status)).u64(record.price)
    writeSegments(writer, record.segments)
    writeLineage(writeCount(writer, record.registeredHeight), record)
    writeOption(writer, record.successor, writeHash)
    writeOption(writer, record.dueHeight, writeCount).u32(record.tries)
  })
}

function moveDue(state: WriteState, model: Hash, height: number | undefined): void {
  const before = getModel(state, model)?.dueHeight
  if (before === height) return
  if (before !== undefined) removeModelDue(state, { height: before, model })
  if (height !== undefined) addModelDue(state, { height, model })
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
    registeredHeight: readCount(reader),
    ...readLineage(reader),
    successor: readOption(reader, readHash),
    dueHeight: readOption(reader, readCount),
    tries: reader.u32(),
  }
}

/** What a model comes after, and its canary. @throws CodecError. */
export function readLineage(reader: Reader): Pick<ModelRecord, 'predecessor' | 'canary'> {
  return {
    predecessor: readOption(reader, readHash),
    canary: readOption(reader, (inner) => ({ root: readHash(inner), bytes: readCount(inner) })),
  }
}

export function writeLineage(
  writer: Writer,
  { predecessor, canary }: Pick<ModelTerms, 'predecessor' | 'canary'>,
): void {
  writeOption(writer, predecessor, writeHash)
  writeOption(writer, canary, (inner, { root, bytes }) => writeCount(writeHash(inner, root), bytes))
}

/** A list of what the segments of a model work per row. @throws CodecError. */
export function readSegments(reader: Reader): SegmentWork[] {
  return reader.list(MARKET_LIMITS.segmentsMax, (inner) => ({ linear: inner.u64(), attention: inner.u64() }))
}

export function writeSegments(writer: Writer, segments: readonly SegmentWork[]): Writer {
  return writer.list(segments, (inner, { linear, attention }) => inner.u64(linear).u64(attention))
}

function readStatus(reader: Reader): ModelStatus {
  const status = STATUSES[reader.u8()]
  if (status === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A model has an unknown status.')
  return status
}

/** A flag, and the value if there is one. */
function writeOption<Value>(
  writer: Writer,
  value: Value | undefined,
  write: (writer: Writer, value: Value) => Writer,
): Writer {
  return value === undefined ? writer.u8(0) : write(writer.u8(1), value)
}

function readOption<Value>(reader: Reader, read: (reader: Reader) => Value): Value | undefined {
  return reader.flag() ? read(reader) : undefined
}

function modelOfKey(key: StateKey): Hash {
  return hash(hexInKey(key, 0, HASH_BYTES))
}
