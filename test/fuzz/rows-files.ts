/**
 * Decoders of the node's own files, as bytes.
 * @module
 */
import fc from 'fast-check'
import { createNodeStore } from '../../src/app/node/node-store.ts'
import { META_KEY, numberBytes, readNumber } from '../../src/app/node/store-keys.ts'
import { encodeHeader, encodeRecord, readJournal, startOf } from '../../src/app/store/journal-format.ts'
import { crc32c, readLevelLog } from '../../src/app/store/level-log.ts'
import { isTableWhole, readManifest } from '../../src/app/store/level-records.ts'
import { Writer } from '../../src/base/codec.ts'
import { writeCount, writeHash } from '../../src/core/fields.ts'
import { createMemoryStore } from '../sim/store.ts'
import { type Decoder, decoder } from './decoder.ts'
import { CODEC, written } from './fields.ts'
import { samples } from './samples.ts'

const FILE_BYTES_MAX = 64 * 1024
const GENERATION = 5n
const PAYLOADS = [new Uint8Array(3).fill(1), new Uint8Array(0), new Uint8Array(40).fill(2)]

const anyPayloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 })

function journalOf(payloads: readonly Uint8Array[]): Uint8Array {
  const header = encodeHeader(GENERATION)
  const parts: Uint8Array[] = [header]
  let end = startOf(header)
  for (const payload of payloads) {
    const record = encodeRecord(end, payload)
    parts.push(record.bytes)
    end = record.end
  }
  return joined(parts)
}

/** LevelDB's masked checksum. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0
}

/** One whole record of LevelDB's log format. */
function logRecord(data: Uint8Array): Uint8Array {
  const typed = joined([Uint8Array.of(1), data])
  return written((writer) => writer.u32(masked(typed)).u16(data.length).raw(typed))
}

/** Edits: comparator, log number, last sequence; then a table. */
const EDITS = [Uint8Array.of(1, 2, 65, 66, 2, 3, 3, 9, 4, 200, 1, 9, 0), Uint8Array.of(7, 0, 5, 180, 1, 1, 65, 1, 66)]

/** Kind 0: as it is; 1: by Snappy. */
function tableBlock(stored: Uint8Array, kind = 0): Uint8Array {
  const typed = joined([stored, Uint8Array.of(kind)])
  return joined([typed, written((writer) => writer.u32(masked(typed)))])
}

const DATA = Uint8Array.of(0, 1, 1, 65, 66, 0, 0, 0, 0, 1, 0, 0, 0)
/** One entry: a key of one byte, and the place of the data block. */
const INDEX = Uint8Array.of(0, 1, 2, 65, 0, DATA.length, 0, 0, 0, 0, 1, 0, 0, 0)
const NO_RESTARTS = new Uint8Array(4)

function tableOf(index: Uint8Array, kind = 0): Uint8Array {
  const blocks = [tableBlock(DATA), tableBlock(NO_RESTARTS), tableBlock(index, kind)]
  const metaAt = blocks[0]!.length
  const indexAt = metaAt + blocks[1]!.length
  const footer = new Uint8Array(48)
  footer.set([
    metaAt,
    NO_RESTARTS.length,
    indexAt,
    (index.length & 0x7f) | 0x80,
    ((index.length >> 7) & 0x7f) | 0x80,
    index.length >> 14,
  ])
  new DataView(footer.buffer).setBigUint64(40, 0xdb47_7524_8b80_fb57n, true)
  return joined([...blocks, footer])
}

/** A literal of the whole index. */
const SNAPPY = joined([Uint8Array.of(INDEX.length, (INDEX.length - 1) << 2), INDEX])

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

interface Meta {
  readonly height: number
  readonly oldestHeight: number
}

function metaBytes({ height, oldestHeight }: Meta): Uint8Array {
  const { networkId } = samples().chain
  const writer = writeHash(new Writer().u16(1), networkId)
  return writeCount(writeHash(writeCount(writer, height), networkId), oldestHeight)
    .finish()
    .slice()
}

export const FILE_ROWS: readonly Decoder[] = [
  decoder({
    name: 'journal',
    covers: ['app/store/journal-format.ts:readJournal'],
    samples: () => [journalOf(PAYLOADS), journalOf([])],
    decode: (bytes) => {
      const found = readJournal(bytes)
      return found.type === 'whole' ? { ...found, rest: bytes.slice(found.end.length) } : bytes.slice()
    },
    encode: (found) =>
      found instanceof Uint8Array
        ? found
        : joined([journalOfGeneration(found.end.generation, found.records), found.rest]),
    codes: [],
    believes: (bytes) => {
      const found = readJournal(bytes)
      return (
        found.type === 'whole' &&
        found.end.length === bytes.length &&
        [PAYLOADS.length, 0].includes(found.records.length)
      )
    },
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'journal-records',
    covers: [],
    samples: () => [journalOf(PAYLOADS)],
    decode: (bytes) => {
      const found = readJournal(bytes)
      return found.type === 'whole' ? [...found.records] : []
    },
    encode: journalOf,
    values: anyPayloads,
    isText: true,
    codes: [],
    bytesMax: 4_096,
  }),
  decoder({
    name: 'level-log',
    covers: ['app/store/level-log.ts:readLevelLog'],
    samples: () => [joined(EDITS.map(logRecord)), joined([logRecord(new Uint8Array(32_750)), logRecord(EDITS[0]!)])],
    decode: readLevelLog,
    codes: [],
    believes: (bytes) => {
      const { records, end } = readLevelLog(bytes)
      return end === 'whole' && records.length === 2
    },
    bytesMax: FILE_BYTES_MAX,
    cost: 2,
  }),
  decoder({
    name: 'level-manifest',
    covers: ['app/store/level-records.ts:readManifest'],
    samples: () => [joined(EDITS.map(logRecord))],
    decode: readManifest,
    codes: [],
    // A record of which the first was cut away still has its checksum; both edits hold what the sum needs.
    believes: (bytes) => typeof readManifest(bytes) !== 'string' && readLevelLog(bytes).records.length === 2,
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'level-edits',
    covers: [],
    samples: () => EDITS,
    decode: (bytes) => readManifest(logRecord(bytes)),
    codes: [],
    bytesMax: 30_000,
  }),
  decoder({
    name: 'level-table',
    covers: ['app/store/level-records.ts:isTableWhole'],
    samples: () => [tableOf(INDEX), tableOf(SNAPPY, 1)],
    decode: isTableWhole,
    codes: [],
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'level-index',
    covers: [],
    samples: () => [INDEX],
    decode: (bytes) => isTableWhole(tableOf(bytes)),
    codes: [],
    bytesMax: 60_000,
  }),
  decoder({
    name: 'snappy',
    covers: [],
    samples: () => [SNAPPY],
    // Sixty mebibytes, announced in four bytes.
    near: () => [Uint8Array.of(0x80, 0x80, 0x80, 0x1e, 0, 0)],
    decode: (bytes) => isTableWhole(tableOf(bytes, 1)),
    codes: [],
    bytesMax: 60_000,
  }),
  decoder({
    name: 'node-meta',
    covers: ['app/node/node-store.ts:createNodeStore'],
    samples: () => [metaBytes({ height: 9, oldestHeight: 2 })],
    decode: async (bytes) => {
      const kept = createMemoryStore()
      await kept.batch([{ type: 'put', key: META_KEY, value: bytes }], { sync: true })
      const { height, oldestHeight } = (await createNodeStore(kept).meta(samples().chain.networkId))!
      return { height, oldestHeight }
    },
    codes: [...CODEC, 'CHAIN_STORE_'],
    bytesMax: 4_096,
    cost: 2,
  }),
  decoder({
    name: 'store-number',
    covers: ['app/node/store-keys.ts:readNumber'],
    samples: () => [numberBytes(7)],
    // The store gives back what was put.
    decode: (bytes) => (bytes.length === 8 ? readNumber(bytes) : 0),
    codes: [],
    bytesMax: 64,
  }),
]

function journalOfGeneration(generation: bigint, payloads: readonly Uint8Array[]): Uint8Array {
  const header = encodeHeader(generation)
  const parts: Uint8Array[] = [header]
  let end = startOf(header)
  for (const payload of payloads) {
    const record = encodeRecord(end, payload)
    parts.push(record.bytes)
    end = record.end
  }
  return joined(parts)
}
