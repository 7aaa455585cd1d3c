/**
 * LevelDB's log format, which both its logs and its MANIFEST have: 32 KiB blocks of fragments, each with a masked CRC-32C;
 * fragments make records. Reads only, and tells a torn end, which a crash leaves, from damage.
 * Format: LevelDB doc/log_format.md.
 * @module
 */

const BLOCK_BYTES = 32_768
/** Masked checksum u32, length u16, type u8. */
const HEADER_BYTES = 7
const MASK_DELTA = 0xa282ead8
/** Castagnoli's polynomial, reversed. */
const POLYNOMIAL = 0x82f63b78

const FULL = 1
const FIRST = 2
const LAST = 4

export interface LevelLog {
  readonly records: readonly Uint8Array[]
  /** `torn`: the end is missing or was not written whole; `damaged`: something is wrong before the end. */
  readonly end: 'whole' | 'torn' | 'damaged'
  /** Bytes up to there. */
  readonly intactBytes: number
}

/** Records up to the first place that cannot be read. */
export function readLevelLog(bytes: Uint8Array): LevelLog {
  const records: Uint8Array[] = []
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const blockLeft = BLOCK_BYTES - (at % BLOCK_BYTES)
    if (blockLeft < HEADER_BYTES) {
      at += blockLeft
      continue
    }
    const fragment = readFragment(bytes, at)
    if (fragment === undefined) return { records, end: isTorn(bytes, at) ? 'torn' : 'damaged', intactBytes: at }
    if (fragment.type === FULL || fragment.type === FIRST) parts.length = 0
    parts.push(fragment.data)
    if (fragment.type === FULL || fragment.type === LAST) records.push(joined(parts))
    at += HEADER_BYTES + fragment.data.length
  }
  return { records, end: 'whole', intactBytes: bytes.length }
}

interface Fragment {
  readonly type: number
  readonly data: Uint8Array
}

/** The fragment at `at`, or undefined when it is not whole. */
function readFragment(bytes: Uint8Array, at: number): Fragment | undefined {
  const left = Math.min(bytes.length - at, BLOCK_BYTES - (at % BLOCK_BYTES))
  if (left < HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, left)
  const length = view.getUint16(4, true)
  const type = view.getUint8(6)
  if (type < FULL || type > LAST || HEADER_BYTES + length > left) return undefined
  if (!checksumHolds(view.getUint32(0, true), bytes.subarray(at + 6, at + HEADER_BYTES + length))) return undefined
  return { type, data: bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length) }
}

/** A crash tears only the end, or leaves zeros where nothing was written yet: nothing readable may follow. */
function isTorn(bytes: Uint8Array, at: number): boolean {
  if (bytes.subarray(at).every((value) => value === 0)) return true
  if (bytes.length - at > BLOCK_BYTES - (at % BLOCK_BYTES)) return false
  for (let next = at + 1; next < bytes.length; next++) {
    if (readFragment(bytes, next) !== undefined) return false
  }
  return true
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts))
}

/** Whether a masked CRC-32C as LevelDB stores it is that of `bytes`. */
export function checksumHolds(masked: number, bytes: Uint8Array): boolean {
  const crc = crc32c(bytes)
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + MASK_DELTA) >>> 0 === masked
}

/** Eight tables: byte k of a group of eight is looked up in table 7 − k ("slicing by 8"). */
const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let index = 0; index < 256; index++) {
    let value = index
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    tables[index] = value
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256]!
    tables[index] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

/** CRC-32C (Castagnoli); node:zlib has only CRC-32. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      TABLES[1792 + (low & 0xff)]! ^
      TABLES[1536 + ((low >>> 8) & 0xff)]! ^
      TABLES[1280 + ((low >>> 16) & 0xff)]! ^
      TABLES[1024 + (low >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^
      TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}
