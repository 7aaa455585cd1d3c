/**
 * What an auditor got of lots, kept until their audits end, so that it can pass it on to other auditors: a miner that sends its data to some of them
 * and not to others has sent it to all. It needs no trust: whoever gets it checks it against the root that was claimed.
 * Files that are lost are fetched again, so nothing is synced.
 * Spec: docs/spec/wire.md §6.
 * @module
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import { encodeRecord } from '../market/record-file.ts'
import { recordsOf } from '../market/record-reader.ts'
import { asStoreError } from '../store/store-error.ts'

/** What went into a lot up to the receipt that covers a weighted row of it. */
export interface LotRow {
  readonly lease: Hash
  readonly lot: number
  readonly row: number
}

/** What comes of a lot. */
export interface ShelfEntry {
  /** The next message as it came. Where there is no room, or the disk refuses, the entry ends: an audit does without. */
  add(message: Uint8Array): Promise<void>
  /** All of it came, and it is what was claimed. */
  keep(): Promise<void>
  /** It is not kept, unless it is already. */
  drop(): Promise<void>
}

export interface AuditShelf {
  begin(part: LotRow): Promise<ShelfEntry>
  hasLot(lot: Pick<LotRow, 'lease' | 'lot'>): boolean
  /** The messages of a lot up to a row or beyond it, as they came; undefined where there is none. They reject with StoreError. */
  messages(part: LotRow): AsyncGenerator<Uint8Array, unknown, void> | undefined
  /** Of lots that are not among these nothing is kept any more. @throws StoreError. */
  keepOnly(lots: readonly Pick<LotRow, 'lease' | 'lot'>[]): Promise<void>
}

const NAME = /^[0-9a-f]{64}-\d{1,3}-\d{1,10}$/
const UNFINISHED = '.part'

/** @throws StoreError. */
export async function openAuditShelf(
  folder: string,
  bytesMax: number = AUDIT_LIMITS.shelfBytesMax,
): Promise<AuditShelf> {
  const sizes = new Map<string, number>()
  const attempt = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    try {
      return await work()
    } catch (error) {
      throw asStoreError(error, folder)
    }
  }
  await attempt(async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(folder)) {
      if (NAME.test(name)) sizes.set(name, (await stat(join(folder, name))).size)
      else if (name.endsWith(UNFINISHED)) await rm(join(folder, name))
    }
  })
  const namesOf = ({ lease, lot }: Pick<LotRow, 'lease' | 'lot'>): string[] =>
    [...sizes.keys()].filter((name) => name.startsWith(`${lease}-${lot}-`))
  const used = (): number => [...sizes.values()].reduce((sum, size) => sum + size, 0)

  return {
    async begin(part) {
      const path = join(folder, nameOf(part))
      let file: FileHandle | undefined = await open(path + UNFINISHED, 'w', 0o600).catch(() => undefined)
      let bytes = 0
      const end = async (): Promise<void> => {
        const open = file
        file = undefined
        await open?.close().catch(() => undefined)
      }
      const drop = async (): Promise<void> => {
        if (file === undefined) return
        await end()
        await rm(path + UNFINISHED, { force: true }).catch(() => undefined)
      }
      return {
        drop,
        async add(message) {
          const record = encodeRecord(message)
          bytes += record.length
          if (used() + bytes > bytesMax) await drop()
          await file?.writeFile(record).catch(drop)
        },
        async keep() {
          if (file === undefined) return
          await end()
          const isThere = await rename(path + UNFINISHED, path).then(
            () => true,
            () => false,
          )
          if (isThere) sizes.set(nameOf(part), bytes)
        },
      }
    },
    hasLot: (lot) => namesOf(lot).length > 0,
    messages(part) {
      const name = namesOf(part).find((one) => rowIn(one) >= part.row)
      return name === undefined ? undefined : recordsOf(join(folder, name))
    },
    async keepOnly(lots) {
      const kept = new Set(lots.flatMap(namesOf))
      for (const name of [...sizes.keys()].filter((one) => !kept.has(one))) {
        await attempt(() => rm(join(folder, name), { force: true }))
        sizes.delete(name)
      }
    },
  }
}

function nameOf({ lease, lot, row }: LotRow): string {
  return `${lease}-${lot}-${row}`
}

function rowIn(name: string): number {
  return Number(name.slice(name.lastIndexOf('-') + 1))
}
