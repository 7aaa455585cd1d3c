/**
 * Disk: the port for the small files that a validator's safety hangs on, the sign state and the journal. Each operation
 * says what survives a power loss. Knows nothing of what is inside. The seeded one with faults is test/sim/disk.ts.
 * Spec: docs/spec/store.md §3.
 * @module
 */
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '../../base/assert.ts'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import { removeTemporaries, syncFolder, writeFileAtomic } from '../home.ts'
import { createSerial } from './serial.ts'
import { asStoreError, type StoreError, storeError } from './store-error.ts'

/**
 * Files of one folder, by name. Operations happen in the order of the calls; all reject with StoreError. Bytes given in must not
 * change until the promise settles; bytes given out belong to the caller.
 */
export interface Disk {
  /** The whole file, or undefined where there is none. */
  read(name: string): Promise<Uint8Array | undefined>
  /** The file is the old one or the new one at every moment; the new one for good when this resolves. */
  replace(name: string, bytes: Uint8Array): Promise<void>
  /**
   * Writes at the end, creating the file. With `sync`, this and all before it is there for good when it resolves;
   * without, a power loss may take it or leave a part. After a failure a part may be there, so further appends to the file
   * are refused with the same error until it is truncated or replaced.
   */
  append(name: string, bytes: Uint8Array, options: { readonly sync: boolean }): Promise<void>
  /** Cuts an existing file to `length` bytes, for good when it resolves. */
  truncate(name: string, length: number): Promise<void>
  /** Fine when the file is not there; gone for good when it resolves. */
  remove(name: string): Promise<void>
  /** Gives back what is open. Further calls are refused with STORE_CLOSED. */
  close(): Promise<void>
}

/** One small word: never a path. */
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/
const FILE_MODE = 0o600

/** A name that is no name is a bug: names are constants of the program. */
export function assertFileName(name: string): void {
  assert(NAME.test(name), 'a file name is one small word')
}

/** A file kept open for appending. */
interface Appender {
  readonly file: FileHandle
  failure?: StoreError
}

/** Opens `folder`, creating it 0700. Files are 0600. @throws StoreError STORE_NOT_WRITABLE, STORE_DISK_FULL, STORE_FAILED. */
export async function openDisk(folder: string): Promise<Disk> {
  await attempt(folder, async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await removeTemporaries(folder)
  })
  const serial = createSerial()
  const appenders = new Map<string, Appender>()
  let isClosed = false

  /** In turn, with the system's refusals as StoreErrors. */
  const operate = <Result>(name: string, task: (path: string) => Promise<Result>): Promise<Result> => {
    assertFileName(name)
    const path = join(folder, name)
    return serial(async () => {
      if (isClosed) throw storeError('STORE_CLOSED', folder)
      return attempt(path, () => task(path))
    })
  }
  const closeFile = async (name: string): Promise<void> => {
    const appender = appenders.get(name)
    appenders.delete(name)
    await appender?.file.close()
  }

  return {
    read: (name) => operate(name, readWhole),
    replace: (name, bytes) =>
      operate(name, async (path) => {
        await closeFile(name)
        await writeFileAtomic(path, bytes, { mode: FILE_MODE })
      }),
    append: (name, bytes, { sync }) =>
      operate(name, async (path) => {
        const appender = appenders.get(name) ?? { file: await openToAppend(path, folder) }
        appenders.set(name, appender)
        await appendTo(appender, bytes, { path, sync })
      }),
    truncate: (name, length) =>
      operate(name, async (path) => {
        await closeFile(name)
        await truncateFile(path, length)
      }),
    remove: (name) =>
      operate(name, async (path) => {
        await closeFile(name)
        await rm(path, { force: true })
        await syncFolder(folder)
      }),
    close: () =>
      serial(async () => {
        isClosed = true
        await Promise.all([...appenders.keys()].map(closeFile))
      }),
  }
}

async function attempt<Result>(path: string, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task()
  } catch (error) {
    const code = codeOf(error)
    if (code === 'HOME_DISK_FULL') throw storeError('STORE_DISK_FULL', path, error)
    if (code?.startsWith('HOME_')) throw storeError('STORE_NOT_WRITABLE', path, error)
    throw asStoreError(error, path)
  }
}

async function readWhole(path: string): Promise<Uint8Array | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return undefined
  if (found.size > STORE_LIMITS.diskFileBytesMax) {
    throw storeError('STORE_CORRUPT', path, new Error(`${found.size} bytes are more than this program writes`))
  }
  return new Uint8Array(await readFile(path))
}

/** The name of a new file must survive too, so the folder is synced once per opening. */
async function openToAppend(path: string, folder: string): Promise<FileHandle> {
  const file = await open(path, 'a', FILE_MODE)
  await syncFolder(folder)
  return file
}

async function appendTo(
  appender: Appender,
  bytes: Uint8Array,
  { path, sync }: { readonly path: string; readonly sync: boolean },
): Promise<void> {
  if (appender.failure !== undefined) throw appender.failure
  try {
    // One system call as a rule; the system may take less, and then is asked again.
    for (let at = 0; at < bytes.length; ) at += (await appender.file.write(bytes, at)).bytesWritten
    if (sync) await appender.file.datasync()
  } catch (error) {
    appender.failure = asStoreError(error, path)
    throw appender.failure
  }
}

async function truncateFile(path: string, length: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.truncate(length)
    await file.sync()
  } finally {
    await file.close()
  }
}
