/**
 * The journal of a lot: what its miner needs to claim and to be audited, on disk before the work goes on that it pays for. Files of some
 * megabytes that only grow; `head` names the last of them. Countersignatures stand beside it and may be lost.
 * Spec: docs/spec/market.md §9.2–9.4.
 * @module
 */
import { Reader, Writer } from '../../base/codec.ts'
import type { Disk } from '../store/disk.ts'
import { createSerial } from '../store/serial.ts'
import { yieldToEvents } from '../system.ts'
import { decodeLotEntry, encodeLotEntry, type KeptReceipt, type LotEntry } from './lot-entry.ts'
import { encodeRecord, type FoundRecords, readRecords } from './record-file.ts'

export interface LotJournal {
  /** The newest entry that was kept. */
  readonly newest: LotEntry | undefined
  /** Of all files. */
  readonly bytes: number
  /** There for good when it resolves. @throws StoreError. */
  append(entry: LotEntry): Promise<void>
  /** The next stage's signature for a receipt. */
  countersign(window: number, signature: Uint8Array): Promise<void>
  /** All receipts, in their order. */
  receipts(): Promise<KeptReceipt[]>
  /** Windows and their countersignatures. */
  countersignatures(): Promise<Map<number, Uint8Array>>
  /** All entries from the lease's first row on, file by file. */
  entries(): AsyncGenerator<LotEntry, void, void>
  close(): Promise<void>
}

const HEAD = 'head'
const COUNTERSIGNATURES = 'countersignatures'
/** A file that is longer is followed by another one. */
const FILE_BYTES = 16 * 1024 * 1024
/** Entries that are read before sessions have their turn: some milliseconds. */
const ENTRIES_PER_TURN = 64

/** Opens the journal on a disk of its own, and cuts off what a crash left unfinished. @throws StoreError, CodecError. */
export async function openLotJournal(disk: Disk): Promise<LotJournal> {
  const serial = createSerial()
  const head = await disk.read(HEAD)
  let file = head === undefined ? 0 : new Reader(head).u32()
  const end = await readEnd(disk, file)
  // The last file may have been begun without a record.
  const before = end.newest === undefined && file > 0 ? await readEnd(disk, file - 1) : undefined
  let newest = end.newest ?? before?.newest
  let length = end.length
  let bytes = file * FILE_BYTES + length
  await repair(disk, COUNTERSIGNATURES)

  const append = async (entry: LotEntry): Promise<void> => {
    const record = encodeRecord(encodeLotEntry(entry))
    if (length > 0 && length + record.length > FILE_BYTES) {
      await disk.replace(HEAD, new Writer(4).u32(file + 1).finish())
      file++
      length = 0
    }
    await disk.append(lotFileName(file), record, { sync: true })
    length += record.length
    bytes += record.length
    newest = entry
  }
  async function* entries(): AsyncGenerator<LotEntry, void, void> {
    for (let index = 0; index <= file; index++) {
      const found = await disk.read(lotFileName(index))
      const records = found === undefined ? [] : readRecords(found).records
      for (const [position, record] of records.entries()) {
        if (position % ENTRIES_PER_TURN === ENTRIES_PER_TURN - 1) await yieldToEvents()
        yield decodeLotEntry(record)
      }
    }
  }

  return {
    get newest() {
      return newest
    },
    get bytes() {
      return bytes
    },
    append: (entry) => serial(() => append(entry)),
    countersign: (window, signature) => {
      const payload = new Writer(68).u32(window).raw(signature).finish()
      return disk.append(COUNTERSIGNATURES, encodeRecord(payload), { sync: false })
    },
    async receipts() {
      const found: KeptReceipt[] = []
      for await (const { receipts } of entries()) found.push(...receipts)
      return found
    },
    async countersignatures() {
      const found = await disk.read(COUNTERSIGNATURES)
      const records = found === undefined ? [] : readRecords(found).records
      return new Map(records.map((record) => [new Reader(record).u32(), record.slice(4)]))
    },
    entries,
    close: () => disk.close(),
  }
}

/** Name of one of a journal's files, from 0. */
export function lotFileName(file: number): string {
  return `rows.${file}`
}

async function readEnd(disk: Disk, file: number): Promise<{ newest: LotEntry | undefined; length: number }> {
  const { records, length } = await repair(disk, lotFileName(file))
  const last = records.at(-1)
  return { newest: last === undefined ? undefined : decodeLotEntry(last), length }
}

/** The records of a file, of which what is unfinished is cut off. */
async function repair(disk: Disk, name: string): Promise<FoundRecords> {
  const bytes = await disk.read(name)
  if (bytes === undefined) return { records: [], length: 0 }
  const found = readRecords(bytes)
  if (found.length < bytes.length) await disk.truncate(name, found.length)
  return found
}
