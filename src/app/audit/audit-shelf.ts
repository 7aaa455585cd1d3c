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
  /** The next message as it came. Beyond the room that there is the entry ends. @throws StoreError. */
  add(message: Uint8Array): Promise<void>
  /** All of it came, and it is what was claimed. @throws StoreError. */
  keep(): Promise<void>
  /** It is not kept; no matter when it was. */
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
export async function openAuditShelf(folder: string): Promise<AuditShelf> {
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
      let file: FileHandle | undefined = await attempt(() => open(path + UNFINISHED, 'w', 0o600))
      let bytes = 0
      const end = async (): Promise<void> => {
        await file?.close()
        file = undefined
      }
      const drop = async (): Promise<void> => {
        if (file === undefined) return
        await end()
        await rm(path + UNFINISHED, { force: true })
      }
      return {
        drop: () => attempt(drop),
        add: (message) =>
          attempt(async () => {
            const record = encodeRecord(message)
            bytes += record.length
            if (used() + bytes > AUDIT_LIMITS.shelfBytesMax) await drop()
            await file?.writeFile(record)
          }),
        keep: () =>
          attempt(async () => {
            if (file === undefined) return
            await end()
            await rename(path + UNFINISHED, path)
            sizes.set(nameOf(audit), bytes)
          }),
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
