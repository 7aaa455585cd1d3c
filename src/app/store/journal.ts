/**
 * The journal: records written one after the other before anything is done about them, and read again after a crash. What a
 * crash leaves at the end is cut off; damage before the end is refused. Knows nothing of what the records mean.
 * The bytes are `journal-format.ts`. Spec: docs/spec/store.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import type { Disk } from './disk.ts'
import { encodeHeader, encodeRecord, type JournalEnd, readJournal, startOf } from './journal-format.ts'
import { createSerial } from './serial.ts'

export class JournalError extends HouseError<'JOURNAL_DAMAGED' | 'JOURNAL_FULL'> {}

export interface Journal {
  /** What was found at opening, oldest first. */
  readonly records: readonly Uint8Array[]
  /** Bytes of an unfinished end that were cut off at opening; they were never reported as synced. */
  readonly droppedBytes: number
  /**
   * Writes one record. With `sync` it and all before it survive a power loss when this resolves. After a failure every
   * further append fails, until `reset` or a new opening. The payload must not change until it settles.
   * @throws StoreError; JournalError JOURNAL_FULL, and then nothing was written.
   */
  append(payload: Uint8Array, options: { readonly sync: boolean }): Promise<void>
  /** Starts an empty journal in one step: a crash leaves all old records or none. */
  reset(): Promise<void>
}

/**
 * Opens the journal of this name, creating an empty one where there is none.
 * @throws JournalError JOURNAL_DAMAGED; StoreError.
 */
export async function openJournal(disk: Disk, name: string): Promise<Journal> {
  const bytes = await disk.read(name)
  if (bytes === undefined) return startJournal(disk, name)
  const found = readJournal(bytes)
  if (found.type === 'damaged') throw damaged(name, found.at)
  const droppedBytes = bytes.length - found.end.length
  if (droppedBytes > 0) await disk.truncate(name, found.end.length)
  return createJournal(disk, name, { records: found.records, droppedBytes, end: found.end })
}

async function startJournal(disk: Disk, name: string): Promise<Journal> {
  const header = encodeHeader(0n)
  await disk.replace(name, header)
  return createJournal(disk, name, { records: [], droppedBytes: 0, end: startOf(header) })
}

interface Opened {
  readonly records: readonly Uint8Array[]
  readonly droppedBytes: number
  readonly end: JournalEnd
}

function createJournal(disk: Disk, name: string, opened: Opened): Journal {
  const serial = createSerial()
  let { end } = opened
  return {
    records: opened.records,
    droppedBytes: opened.droppedBytes,
    append: (payload, options) =>
      serial(async () => {
        assert(payload.length <= STORE_LIMITS.journalRecordBytesMax, 'a record fits the journal')
        const record = encodeRecord(end, payload)
        if (record.end.length > STORE_LIMITS.diskFileBytesMax) throw full(name)
        // When this fails, the disk takes no more for this file, so `end` may stay behind.
        await disk.append(name, record.bytes, options)
        end = record.end
      }),
    reset: () =>
      serial(async () => {
        const header = encodeHeader(end.generation + 1n)
        await disk.replace(name, header)
        end = startOf(header)
      }),
  }
}

function damaged(name: string, at: number): JournalError {
  const message = `The journal "${name}" of this node is damaged at byte ${at}, and not by a crash: more follows. Check the disk. Then start the node with --repair: it keeps the file aside and goes on with the newest vote, which is kept elsewhere.`
  return new JournalError('JOURNAL_DAMAGED', message, { details: { name, at } })
}

function full(name: string): JournalError {
  const message = `The journal "${name}" is full: the node wrote more about one height than it ever should. Restart it; if this happens again, report it.`
  return new JournalError('JOURNAL_FULL', message, { details: { name, bytesMax: STORE_LIMITS.diskFileBytesMax } })
}
