/**
 * Files that several reads or writes use at once: one handle for each as long as anybody uses it, and not longer, because a file of the same name may be
 * another one later.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises'

export interface SharedFiles {
  /** Calls `work` with the open file. Rejects with what the system or `work` says. */
  use<Value>(path: string, work: (file: FileHandle) => Promise<Value>): Promise<Value>
}

interface Entry {
  readonly handle: Promise<FileHandle>
  users: number
}

/** `r+` opens files that are there. */
export function createSharedFiles(flags: 'r' | 'r+'): SharedFiles {
  const entries = new Map<string, Entry>()

  async function use<Value>(path: string, work: (file: FileHandle) => Promise<Value>): Promise<Value> {
    const entry = entries.get(path) ?? { handle: open(path, flags), users: 0 }
    entries.set(path, entry)
    entry.users++
    try {
      return await work(await entry.handle)
    } finally {
      entry.users--
      if (entry.users === 0) {
        entries.delete(path)
        await entry.handle.then((handle) => handle.close()).catch(() => undefined)
      }
    }
  }

  return { use }
}
