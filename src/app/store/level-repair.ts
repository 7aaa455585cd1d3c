/**
 * Saves what can be read of a damaged LevelDB folder. The damaged files are kept aside as they are; a copy is freed of what is
 * damaged, rebuilt by LevelDB and put in their place. LevelDB's own repair believes whatever stands in a log or a table
 * and can even crash on it, so damaged parts are taken out before it sees them.
 * What is left holds only what was once written, but not all of it: the caller must check that it hangs together.
 * Spec: docs/spec/store.md §2.
 * @module
 */
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { syncFolder } from '../home.ts'
import { logName, logNumbers } from './level-files.ts'
import { readLevelLog } from './level-log.ts'
import { isTableWhole } from './level-records.ts'
import { assertUnlocked, openLevel } from './level-store.ts'
import { asStoreError, storeError } from './store-error.ts'

export interface StoreRepair {
  /** Where the damaged files are now. */
  readonly damagedPath: string
  /** Names of tables that were left out as a whole. */
  readonly droppedTables: readonly string[]
  /** Bytes at the ends of logs that were left out: the last batches. */
  readonly droppedLogBytes: number
}

/**
 * Repairs the store at `path`, which nobody may have open. Afterwards it opens. Until the last step nothing at `path` changes.
 * @throws StoreError STORE_LOCKED, STORE_DISK_FULL, STORE_NOT_WRITABLE, STORE_CORRUPT when nothing helps.
 */
export async function repairStore(path: string): Promise<StoreRepair> {
  const copy = `${path}.repairing`
  try {
    await assertUnlocked(path)
    await rm(copy, { recursive: true, force: true })
    await copyFolder(path, copy)
    const droppedTables = await dropDamagedTables(copy)
    const droppedLogBytes = await cutLogs(copy)
    const { ClassicLevel } = await import('classic-level')
    await ClassicLevel.repair(copy)
    // LevelDB moves what it has used there; the originals are kept.
    await rm(join(copy, 'lost'), { recursive: true, force: true })
    const level = await openLevel(copy)
    await level.close()
    const damagedPath = await freeDamagedPath(path)
    await rename(path, damagedPath)
    await rename(copy, path)
    await syncFolder(dirname(path))
    return { damagedPath, droppedTables, droppedLogBytes }
  } catch (error) {
    await rm(copy, { recursive: true, force: true }).catch(() => undefined)
    throw asStoreError(error, path)
  }
}

/** `path.damaged-1`, or the next that is free. */
export async function freeDamagedPath(path: string): Promise<string> {
  for (let number = 1; number <= STORE_LIMITS.damagedCopiesMax; number++) {
    const candidate = `${path}.damaged-${number}`
    if ((await stat(candidate).catch(() => undefined)) === undefined) return candidate
  }
  throw storeError('STORE_FAILED', path, new Error(`${STORE_LIMITS.damagedCopiesMax} damaged copies are there already`))
}

/** Copies the files of a folder for good. */
async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  const entries = await readdir(from, { withFileTypes: true })
  for (const entry of entries.filter((found) => found.isFile() && found.name !== 'LOCK')) {
    const target = join(to, entry.name)
    await copyFile(join(from, entry.name), target)
    const file = await open(target, 'r+')
    await file.sync().finally(() => file.close())
  }
}

async function dropDamagedTables(folder: string): Promise<string[]> {
  const dropped: string[] = []
  for (const name of (await readdir(folder)).filter((found) => /^\d+\.(?:ldb|sst)$/.test(found))) {
    if (isTableWhole(await readFile(join(folder, name)))) continue
    await rm(join(folder, name))
    dropped.push(name)
  }
  return dropped
}

/** Keeps the logs up to the first damage: batches behind it would stand without those before them. */
async function cutLogs(folder: string): Promise<number> {
  let isCut = false
  let dropped = 0
  for (const number of logNumbers(await readdir(folder))) {
    const path = join(folder, logName(number))
    const bytes = await readFile(path)
    const intactBytes: number = isCut ? 0 : readLevelLog(bytes).intactBytes
    if (intactBytes < bytes.length) await truncate(path, intactBytes)
    isCut ||= intactBytes < bytes.length
    dropped += bytes.length - intactBytes
  }
  return dropped
}
