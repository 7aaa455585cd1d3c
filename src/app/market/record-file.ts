/**
 * Records in a file that only grows: `length u32 ‖ CRC-32 of the payload u32 ‖ payload`. What a crash leaves at the end is found and cut off; a
 * record counts when it is whole. Knows nothing of what the records mean.
 * @module
 */
import { crc32 } from 'node:zlib'
import { Reader, Writer } from '../../base/codec.ts'

export const RECORD_HEADER_BYTES = 8

export interface FoundRecords {
  readonly records: readonly Uint8Array[]
  /** Bytes of them; what follows is unfinished. */
  readonly length: number
}

export function encodeRecord(payload: Uint8Array): Uint8Array {
  return new Writer(RECORD_HEADER_BYTES + payload.length).u32(payload.length).u32(crc32(payload)).raw(payload).finish()
}

/** Of the record that begins with this header, with it. */
export function recordBytes(header: Uint8Array): number {
  return RECORD_HEADER_BYTES + new Reader(header.subarray(0, 4)).u32()
}

/** Whole records from the beginning on, up to the first that is not. */
export function readRecords(bytes: Uint8Array): FoundRecords {
  const records: Uint8Array[] = []
  let at = 0
  while (bytes.length - at >= RECORD_HEADER_BYTES) {
    const reader = new Reader(bytes.subarray(at, at + RECORD_HEADER_BYTES))
    const length = reader.u32()
    const checksum = reader.u32()
    const start = at + RECORD_HEADER_BYTES
    if (length > bytes.length - start) break
    const payload = bytes.subarray(start, start + length)
    if (crc32(payload) !== checksum) break
    records.push(payload)
    at = start + length
  }
  return { records, length: at }
}
