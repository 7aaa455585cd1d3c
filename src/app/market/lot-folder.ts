/**
 * The journals of a miner's lots, one folder per lease, within a quota.
 * Spec: docs/spec/market.md §9.4.
 * @module
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hash, hash } from '../../base/brand.ts'
import { openDisk } from '../store/disk.ts'
import { asStoreError } from '../store/store-error.ts'
import { leaseError } from './lease-error.ts'
import type { LotEntry } from './lot-entry.ts'
import { type LotJournal, openLotJournal } from './lot-journal.ts'
import { lotEntries } from './lot-reader.ts'

export interface LotFolder {
  /** The journal of a lease, new or old. @throws LeaseError LEASE_NO_ROOM for a new one; StoreError. */
  open(lease: Hash): Promise<LotJournal>
  /** Leases that have a journal. */
  leases(): Promise<Hash[]>
  /** What the journal of a lease has on disk, whether somebody writes it or not; nothing where there is none. @throws StoreError, CodecError. */
  read(lease: Hash): AsyncGenerator<LotEntry, void, void>
  /** The lease is settled. Its journal must be closed. */
  forget(lease: Hash): Promise<void>
}

const LEASE_NAME = /^[0-9a-f]{64}$/

/** `quotaBytes`: with so many in the folder no new lease begins, and no step is taken that does not fit. */
export async function openLotFolder(folder: string, quotaBytes: number): Promise<LotFolder> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const sizes = new Map<Hash, number>()
  for (const name of await leaseNames(folder)) sizes.set(name, await sizeOf(join(folder, name)))
  const used = (): number => [...sizes.values()].reduce((sum, size) => sum + size, 0)

  return {
    async open(lease) {
      if (!sizes.has(lease) && used() >= quotaBytes) throw leaseError('LEASE_NO_ROOM')
      const journal = await openLotJournal(await openDisk(join(folder, lease)))
      sizes.set(lease, journal.bytes)
      const append = async (entry: LotEntry): Promise<void> => {
        if (used() >= quotaBytes) throw leaseError('LEASE_NO_ROOM')
        await journal.append(entry)
        sizes.set(lease, journal.bytes)
      }
      return withAppend(journal, append)
    },
    leases: () => leaseNames(folder),
    read: (lease) => lotEntries(join(folder, lease)),
    async forget(lease) {
      await rm(join(folder, lease), { recursive: true, force: true })
      sizes.delete(lease)
    },
  }
}

function withAppend(journal: LotJournal, append: LotJournal['append']): LotJournal {
  return {
    get newest() {
      return journal.newest
    },
    get bytes() {
      return journal.bytes
    },
    append,
    countersign: journal.countersign,
    receipts: journal.receipts,
    countersignatures: journal.countersignatures,
    entries: journal.entries,
    close: journal.close,
  }
}

async function leaseNames(folder: string): Promise<Hash[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw asStoreError(error, folder)
  })
  return names.filter((name) => LEASE_NAME.test(name)).map(hash)
}

async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
