/**
 * What an auditor got of a lot, kept until the audit ends, so that it can pass it on to other auditors of the same audit: a miner that sends its data
 * to some of them and not to others has sent it to all. It needs no trust: whoever gets it checks it against the root that was claimed.
 * Files that are lost are fetched again, so nothing is synced.
 * Spec: docs/spec/wire.md §6.
 * @module
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import type { AuditId } from '../../core/state/audits.ts'
import { encodeRecord } from '../market/record-file.ts'
import { recordsOf } from '../market/record-reader.ts'
import { asStoreError } from '../store/store-error.ts'

/** What comes for one audit. */
export interface ShelfEntry {
  /** The next message as it came. Where there is no room, or the disk refuses, the entry ends: an audit does without. */
  add(message: Uint8Array): Promise<void>
  /** All of it came, and it is what was claimed. */
  keep(): Promise<void>
  /** It is not kept, unless it is already. */
  drop(): Promise<void>
}

export interface AuditShelf {
  begin(audit: AuditId): Promise<ShelfEntry>
  has(audit: AuditId): boolean
  /** The messages of an audit, as they came. @throws StoreError. */
  messages(audit: AuditId): AsyncGenerator<Uint8Array, unknown, void>
  /** Nothing but these audits is kept. @throws StoreError. */
  keepOnly(audits: readonly AuditId[]): Promise<void>
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
  const used = (): number => [...sizes.values()].reduce((sum, size) => sum + size, 0)

  return {
    async begin(audit) {
      const path = join(folder, nameOf(audit))
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
          if (isThere) sizes.set(nameOf(audit), bytes)
        },
      }
    },
    has: (audit) => sizes.has(nameOf(audit)),
    messages: (audit) => recordsOf(join(folder, nameOf(audit))),
    async keepOnly(audits) {
      const names = new Set(audits.map(nameOf))
      for (const name of sizes.keys()) {
        if (names.has(name)) continue
        await attempt(() => rm(join(folder, name), { force: true }))
        sizes.delete(name)
      }
    },
  }
}

function nameOf({ lease, lot, window }: AuditId): string {
  return `${lease}-${lot}-${window}`
}
