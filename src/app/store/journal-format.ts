/**
 * The bytes of a journal. A header names the generation; each record has
 *
 *     length u32 ‖ CRC-32 of the payload u32 ‖ link u32 ‖ CRC-32 of these twelve bytes u32 ‖ payload
 *
 * The link is the CRC-32 of length and payload checksum, begun with the link before it: a record that was left over from
 * before a cut stands in no chain. All checksums begin with that of the header, so records of another generation never match.
 * Why CRC-32: the disk is no adversary. Every single burst of up to 32 damaged bits is found, other damage with 1 − 2⁻³²
 * per checksum, and somebody who can write the file can also write its checksums, whatever they are.
 * Spec: docs/spec/store.md §4.
 * @module
 */
import { crc32 } from 'node:zlib'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { Reader, Writer } from '../../base/codec.ts'

const MAGIC = 0x6c61_776d_6c6c_64n // "dllmwal" and a zero byte.
const HEADER_BYTES = 20
const RECORD_HEADER_BYTES = 16
const CHECKED_BYTES = 12
const LINKED_BYTES = 8

/** Where the next record goes and what it is linked to. */
export interface JournalEnd {
  readonly generation: bigint
  /** Bytes so far. */
  readonly length: number
  /** Checksum of the header, with which all others begin. */
  readonly salt: number
  readonly link: number
}

export type ReadJournal =
  | { readonly type: 'whole'; readonly records: readonly Uint8Array[]; readonly end: JournalEnd }
  /** Something is wrong at byte `at` that no crash explains. */
  | { readonly type: 'damaged'; readonly at: number }

export function encodeHeader(generation: bigint): Uint8Array {
  const checked = new Writer(HEADER_BYTES).u64(MAGIC).u64(generation).finish()
  return new Writer(HEADER_BYTES).raw(checked).u32(crc32(checked)).finish()
}

/** The end of a journal without records. */
export function startOf(header: Uint8Array): JournalEnd {
  const reader = new Reader(header)
  reader.u64()
  const generation = reader.u64()
  const salt = reader.u32()
  return { generation, length: HEADER_BYTES, salt, link: salt }
}

/** The bytes of a record at `end`, and the end behind it. */
export function encodeRecord(end: JournalEnd, payload: Uint8Array): { bytes: Uint8Array; end: JournalEnd } {
  const linked = new Writer(LINKED_BYTES).u32(payload.length).u32(crc32(payload, end.salt)).finish()
  const link = crc32(linked, end.link)
  const checked = new Writer(CHECKED_BYTES).raw(linked).u32(link).finish()
  const bytes = new Writer(RECORD_HEADER_BYTES + payload.length).raw(checked).u32(crc32(checked, end.salt)).raw(payload)
  return { bytes: bytes.finish(), end: { ...end, length: end.length + RECORD_HEADER_BYTES + payload.length, link } }
}

/**
 * Records up to an unfinished one at the end. Only the last record may be unfinished: a header that does not fit, a payload cut
 * short, or wrong checksums with no intact record anywhere behind.
 */
export function readJournal(bytes: Uint8Array): ReadJournal {
  const checked = bytes.subarray(0, HEADER_BYTES - 4)
  const isOurs = bytes.length >= HEADER_BYTES && crc32(checked) === u32At(bytes, HEADER_BYTES - 4)
  // The header is replaced as a whole, so a crash cannot have damaged it.
  if (!isOurs || new Reader(bytes).u64() !== MAGIC) return { type: 'damaged', at: 0 }
  const records: Uint8Array[] = []
  let end = startOf(bytes)
  while (end.length < bytes.length) {
    const record = recordAt(bytes, end.length, end.salt)
    if (record === 'cut') break
    const link =
      record === undefined ? undefined : crc32(bytes.subarray(end.length, end.length + LINKED_BYTES), end.link)
    if (record?.payload === undefined || record.link !== link) {
      const behind = record?.next ?? end.length + 1
      if (isAnyIntact(bytes, behind, end.salt)) return { type: 'damaged', at: end.length }
      break
    }
    records.push(record.payload)
    end = { ...end, length: record.next, link: record.link }
  }
  return { type: 'whole', records, end }
}

interface FoundRecord {
  readonly link: number
  readonly next: number
  /** undefined: the payload is not the one that was written. */
  readonly payload: Uint8Array | undefined
}

/** What stands at `at`: undefined without an intact header, `cut` when the file ends within it. */
function recordAt(bytes: Uint8Array, at: number, salt: number): FoundRecord | 'cut' | undefined {
  if (bytes.length - at < RECORD_HEADER_BYTES) return 'cut'
  const length = u32At(bytes, at)
  if (length > STORE_LIMITS.journalRecordBytesMax) return undefined
  if (crc32(bytes.subarray(at, at + CHECKED_BYTES), salt) !== u32At(bytes, at + CHECKED_BYTES)) return undefined
  const start = at + RECORD_HEADER_BYTES
  const next = start + length
  if (next > bytes.length) return 'cut'
  const payload = bytes.subarray(start, next)
  const isWhole = crc32(payload, salt) === u32At(bytes, at + 4)
  return { link: u32At(bytes, at + LINKED_BYTES), next, payload: isWhole ? payload : undefined }
}

/** Whether an intact record of this generation begins anywhere from `from` on: then what is before it was not the end. */
function isAnyIntact(bytes: Uint8Array, from: number, salt: number): boolean {
  for (let at = from; at + RECORD_HEADER_BYTES <= bytes.length; at++) {
    const record = recordAt(bytes, at, salt)
    if (record !== undefined && record !== 'cut' && record.payload !== undefined) return true
  }
  return false
}

function u32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true)
}
