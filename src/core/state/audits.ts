/**
 * The table of open audits, and that of the heights at which they are tallied. An audit carries who was asked, what they said, and
 * what the miner showed. Spec: docs/spec/market.md §2, §8.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../../base/codec.ts'
import { HASH_BYTES, readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../fields.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, hexInKey, numberInKey, putRecord, records, TABLE } from './tables.ts'

export interface AuditId {
  readonly lease: Hash
  readonly lot: number
  /** Number of the window of `receiptRows` rows; the receipt that covers `row` may have another. */
  readonly window: number
}

/** First: a committee that must agree. Redrawn: another, because too few of the first spoke. Last: all seats decide. */
export type AuditRound = (typeof ROUNDS)[number]

export interface Auditor {
  readonly operator: AccountId
  /** Its part of the votes in the last round: grains of deposit, or seats; 0 before. */
  readonly weight: bigint
  readonly commitment: Hash | undefined
  /** What it found; zeros: data was not to be had. */
  readonly finding: Hash | undefined
}

/** What the miner showed of the receipt that covers the row. */
export interface Opening {
  readonly finding: Hash
  /** Compute units of the window. */
  readonly units: bigint
  /** Weighted rows of the window. */
  readonly rows: number
  readonly milliseconds: number
}

export interface AuditRecord {
  readonly round: AuditRound
  /** Last height at which auditors commit. */
  readonly commitHeight: number
  /** Last height at which they reveal and the miner opens; at its end the audit is tallied. */
  readonly dueHeight: number
  /** Weighted row of the lot whose receipt is audited. */
  readonly row: number
  /** Weighted rows that it stands for. */
  readonly standsFor: number
  /** Grains of its deposit that an auditor locks when it commits. */
  readonly stake: bigint
  readonly opening: Opening | undefined
  /** In the order of their operators. */
  readonly auditors: readonly Auditor[]
}

const ROUNDS = ['first', 'redrawn', 'last'] as const
const LOT_AT = HASH_BYTES
const HEIGHT_BYTES = 8

export function auditKey(id: AuditId): StateKey {
  return stateKey(TABLE.audit, idText(id))
}

export function getAudit(state: ReadState, id: AuditId): AuditRecord | undefined {
  return getRecord(state, auditKey(id), readAudit)
}

/** Keeps the table of dues. undefined removes the audit. */
export function putAudit(state: WriteState, id: AuditId, audit: AuditRecord | undefined): void {
  const before = getAudit(state, id)
  if (before !== undefined && before.dueHeight !== audit?.dueHeight) state.set(dueKey(before.dueHeight, id), undefined)
  if (audit === undefined) {
    state.set(auditKey(id), undefined)
    return
  }
  if (before?.dueHeight !== audit.dueHeight) state.set(dueKey(audit.dueHeight, id), Uint8Array.of(0))
  putRecord(state, auditKey(id), (writer) => writeAudit(writer, audit))
}

/** All, or those of a lease, in the order of their ids. */
export function* audits(state: ReadState, lease?: Hash): Iterable<readonly [AuditId, AuditRecord]> {
  const prefix = lease === undefined ? stateKey(TABLE.audit) : stateKey(TABLE.audit, lease)
  for (const [key, audit] of records(state, prefix, readAudit)) yield [idInKey(key, 0), audit]
}

/** With their heights, in the order of these. Do not write while iterating. */
export function* auditDues(state: ReadState): Iterable<readonly [number, AuditId]> {
  for (const [key] of state.entries(stateKey(TABLE.auditDue))) yield [numberInKey(key, 0), idInKey(key, HEIGHT_BYTES)]
}

/** 37 bytes; the numbers big-endian, as in keys. */
export function auditIdBytes(id: AuditId): Uint8Array {
  return hexToBytes(idText(id))
}

export function writeAuditId(writer: Writer, id: AuditId): Writer {
  return writer.raw(auditIdBytes(id))
}

export function readAuditId(reader: Reader): AuditId {
  const lease = readHash(reader)
  const lot = reader.u8()
  const [a = 0, b = 0, c = 0, d = 0] = reader.raw(4)
  return { lease, lot, window: ((a * 256 + b) * 256 + c) * 256 + d }
}

function dueKey(height: number, id: AuditId): StateKey {
  return stateKey(TABLE.auditDue, keyNumber(height), idText(id))
}

function idText({ lease, lot, window }: AuditId): string {
  return lease + lot.toString(16).padStart(2, '0') + window.toString(16).padStart(8, '0')
}

function idInKey(key: StateKey, offset: number): AuditId {
  const number = (at: number, bytes: number): number => Number.parseInt(hexInKey(key, offset + at, bytes), 16)
  return { lease: hash(hexInKey(key, offset, HASH_BYTES)), lot: number(LOT_AT, 1), window: number(LOT_AT + 1, 4) }
}

function writeAudit(writer: Writer, audit: AuditRecord): void {
  writer.u8(ROUNDS.indexOf(audit.round))
  writeCount(writeCount(writer, audit.commitHeight), audit.dueHeight).u32(audit.row)
  writeCount(writer, audit.standsFor).u64(audit.stake)
  writeOptional(writer, audit.opening, (inner, { finding, units, rows, milliseconds }) =>
    writeHash(inner, finding).u64(units).u32(rows).u32(milliseconds),
  )
  writer.list(audit.auditors, (inner, { operator, weight, commitment, finding }) => {
    writeAccount(inner, operator).u64(weight)
    writeOptional(inner, commitment, writeHash)
    writeOptional(inner, finding, writeHash)
  })
}

/** @throws CodecError. */
export function readAudit(reader: Reader): AuditRecord {
  return {
    round: readRound(reader),
    commitHeight: readCount(reader),
    dueHeight: readCount(reader),
    row: reader.u32(),
    standsFor: readCount(reader),
    stake: reader.u64(),
    opening: readOptional(reader, readOpening),
    auditors: reader.list(MARKET_LIMITS.auditorsPerAuditMax, readAuditor),
  }
}

function readRound(reader: Reader): AuditRound {
  const round = ROUNDS[reader.u8()]
  if (round === undefined) throw new CodecError('CODEC_BAD_VALUE', 'An audit is in an unknown round.')
  return round
}

function readOpening(reader: Reader): Opening {
  return { finding: readHash(reader), units: reader.u64(), rows: reader.u32(), milliseconds: reader.u32() }
}

function readAuditor(reader: Reader): Auditor {
  return {
    operator: readAccount(reader),
    weight: reader.u64(),
    commitment: readOptional(reader, readHash),
    finding: readOptional(reader, readHash),
  }
}

function writeOptional<Value>(
  writer: Writer,
  value: Value | undefined,
  write: (writer: Writer, value: Value) => unknown,
): void {
  writer.u8(value === undefined ? 0 : 1)
  if (value !== undefined) write(writer, value)
}

function readOptional<Value>(reader: Reader, read: (reader: Reader) => Value): Value | undefined {
  return reader.flag() ? read(reader) : undefined
}
