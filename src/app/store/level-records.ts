/**
 * What must be understood of LevelDB's files to check a folder: the edits of the MANIFEST, and the index of a table.
 * Knows nothing of keys and values.
 * Format: LevelDB db/version_edit.cc, doc/table_format.md.
 * @module
 */
import { checksumHolds, readLevelLog } from './level-log.ts'

export interface LevelManifest {
  /** Logs with smaller numbers are in the tables already. */
  readonly logNumber: number
  readonly lastSequence: number
  /** Number of each live table to its length in bytes. */
  readonly tables: ReadonlyMap<number, number>
}

/** Where a block of a table lies, without its trailer. */
interface Handle {
  readonly offset: number
  readonly length: number
}

const TABLE_FOOTER_BYTES = 48
const TABLE_MAGIC = 0xdb47_7524_8b80_fb57n
const HANDLE_PAIR_BYTES = 40
/** Compression kind u8 and masked checksum u32, behind each block. */
const BLOCK_TRAILER_BYTES = 5
const SNAPPY = 1
const U32_BYTES = 4
/** The index of a table of 2 MiB takes some KiB; one large value more makes it no longer. */
const INDEX_BYTES_MAX = 64 * 1024 * 1024
/** A copy of 64 bytes takes three. */
const SNAPPY_GROWTH_MAX = 64 / 3

/** Ran past the end, or found a number that cannot be. Never leaves this file. */
class Malformed extends Error {}

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/** The sum of all edits, or a sentence on what is wrong. */
export function readManifest(bytes: Uint8Array): LevelManifest | string {
  const log = readLevelLog(bytes)
  if (log.end === 'damaged') return 'damaged before its end'
  const sum: Draft = { tables: new Map() }
  try {
    for (const record of log.records) applyEdit({ bytes: record, at: 0 }, sum)
  } catch (error) {
    if (error instanceof Malformed) return 'a record cannot be read'
    throw error
  }
  const { logNumber, lastSequence, tables } = sum
  if (logNumber === undefined || lastSequence === undefined) return 'its first record is missing'
  return { logNumber, lastSequence, tables }
}

interface Draft {
  logNumber?: number
  lastSequence?: number
  readonly tables: Map<number, number>
}

function applyEdit(cursor: Cursor, sum: Draft): void {
  const added: [number, number][] = []
  while (cursor.at < cursor.bytes.length) {
    const tag = varint(cursor)
    if (tag === 1) skip(cursor, varint(cursor))
    else if (tag === 2) sum.logNumber = varint(cursor)
    else if (tag === 4) sum.lastSequence = varint(cursor)
    else if (tag === 3 || tag === 9) varint(cursor)
    else if (tag === 5) skipLevelAndKey(cursor)
    else if (tag === 6) sum.tables.delete(levelAndNumber(cursor))
    else if (tag === 7) added.push(newTable(cursor))
    else throw new Malformed(`tag ${tag}`)
  }
  // An edit may move a table from one level to another: deleted there, added here.
  for (const [number, length] of added) sum.tables.set(number, length)
}

function skipLevelAndKey(cursor: Cursor): void {
  varint(cursor)
  skip(cursor, varint(cursor))
}

function levelAndNumber(cursor: Cursor): number {
  varint(cursor)
  return varint(cursor)
}

function newTable(cursor: Cursor): [number, number] {
  const number = levelAndNumber(cursor)
  const length = varint(cursor)
  skip(cursor, varint(cursor)) // Smallest key.
  skip(cursor, varint(cursor)) // Largest key.
  return [number, length]
}

/** Whether every block of a table is there and has the bytes that were written. */
export function isTableWhole(bytes: Uint8Array): boolean {
  if (bytes.length < TABLE_FOOTER_BYTES) return false
  const footer = bytes.subarray(bytes.length - TABLE_FOOTER_BYTES)
  const view = new DataView(footer.buffer, footer.byteOffset)
  if (view.getBigUint64(HANDLE_PAIR_BYTES, true) !== TABLE_MAGIC) return false
  try {
    const cursor: Cursor = { bytes: footer, at: 0 }
    const meta = readBlock(bytes, readHandle(cursor))
    const index = readBlock(bytes, readHandle(cursor))
    for (const handle of [...handlesOf(meta), ...handlesOf(index)]) checkBlock(bytes, handle)
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

function readHandle(cursor: Cursor): Handle {
  return { offset: varint(cursor), length: varint(cursor) }
}

/** The block as it is stored, with its compression kind behind it. */
function checkBlock(bytes: Uint8Array, { offset, length }: Handle): Uint8Array {
  const end = offset + length
  if (end + BLOCK_TRAILER_BYTES > bytes.length) throw new Malformed('a block beyond the end')
  const withKind = bytes.subarray(offset, end + 1)
  const view = new DataView(bytes.buffer, bytes.byteOffset + end, BLOCK_TRAILER_BYTES)
  if (!checksumHolds(view.getUint32(1, true), withKind)) throw new Malformed('a block without its checksum')
  return withKind
}

function readBlock(bytes: Uint8Array, handle: Handle): Uint8Array {
  const withKind = checkBlock(bytes, handle)
  const stored = withKind.subarray(0, -1)
  return withKind.at(-1) === SNAPPY ? unpackSnappy({ bytes: stored, at: 0 }) : stored
}

/** The values of an index block, which are handles; keys share prefixes, which does not matter here. */
function handlesOf(block: Uint8Array): Handle[] {
  if (block.length < U32_BYTES) throw new Malformed('a block without restarts')
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - U32_BYTES).getUint32(0, true)
  const end = block.length - U32_BYTES * (restarts + 1)
  const handles: Handle[] = []
  const cursor: Cursor = { bytes: block, at: 0 }
  while (cursor.at < end) {
    varint(cursor) // Shared bytes of the key.
    const keyBytes = varint(cursor)
    const valueBytes = varint(cursor)
    skip(cursor, keyBytes)
    handles.push(readHandle({ bytes: cursor.bytes, at: cursor.at }))
    skip(cursor, valueBytes)
  }
  return handles
}

/** Snappy's raw format: literals, and copies of what is there already. Format: google/snappy format_description.txt. */
function unpackSnappy(cursor: Cursor): Uint8Array {
  const length = varint(cursor)
  if (length > Math.min(INDEX_BYTES_MAX, SNAPPY_GROWTH_MAX * cursor.bytes.length))
    throw new Malformed('an index beyond its bound')
  const out = new Uint8Array(length)
  let at = 0
  while (cursor.at < cursor.bytes.length) {
    const tag = little(cursor, 1)
    const kind = tag & 3
    const run = kind === 0 ? literalLength(cursor, tag >>> 2) : kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    if (at + run > length) throw new Malformed('more than was announced')
    if (kind === 0) {
      out.set(skip(cursor, run), at)
    } else {
      const back = kind === 1 ? ((tag >>> 5) << 8) | little(cursor, 1) : little(cursor, kind === 2 ? 2 : 4)
      if (back === 0 || back > at) throw new Malformed('a copy from before the start')
      // Byte by byte: a copy may read what it has just written.
      for (let index = at; index < at + run; index++) out[index] = out[index - back]!
    }
    at += run
  }
  if (at !== length) throw new Malformed('less than was announced')
  return out
}

/** 60 to 63 say that the length stands in the next 1 to 4 bytes. */
function literalLength(cursor: Cursor, code: number): number {
  return (code < 60 ? code : little(cursor, code - 59)) + 1
}

/** Little-endian unsigned integer of `count` bytes. */
function little(cursor: Cursor, count: number): number {
  return skip(cursor, count).reduce((sum, value, index) => sum + value * 2 ** (8 * index), 0)
}

/** Seven bits per byte, the lowest first. */
function varint(cursor: Cursor): number {
  let value = 0
  for (let factor = 1; factor < Number.MAX_SAFE_INTEGER; factor *= 128) {
    const byte = little(cursor, 1)
    value += (byte & 0x7f) * factor
    if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value
  }
  throw new Malformed('a number that is too large')
}

/** The bytes passed over. */
function skip(cursor: Cursor, count: number): Uint8Array {
  const start = cursor.at
  if (start + count > cursor.bytes.length) throw new Malformed('it ends too early')
  cursor.at = start + count
  return cursor.bytes.subarray(start, cursor.at)
}
