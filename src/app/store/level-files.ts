/**
 * Looks at the files of a LevelDB folder before LevelDB does, and changes nothing: are all files there that the MANIFEST
 * names, are they whole, and do the logs continue where the tables end? LevelDB itself would skip what is damaged in a
 * log, start anew where CURRENT is missing, and delete files that a shortened MANIFEST no longer names.
 * Format: LevelDB doc/impl.md, doc/table_format.md. Spec: docs/spec/store.md §2.
 * @module
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readLevelLog } from './level-log.ts'
import { isTableWhole, type LevelManifest, readManifest } from './level-records.ts'
import { storeError } from './store-error.ts'

/** Bytes before the operations of a batch in a log: its first sequence number u64, its count of operations u32. */
const BATCH_HEADER_BYTES = 12

/** @throws StoreError STORE_CORRUPT with the file and what is wrong with it as its cause; the system's errors. */
export async function checkLevelFiles(folder: string): Promise<void> {
  const names = await readdir(folder)
  const damage = await findDamage(folder, names)
  if (damage !== undefined) throw storeError('STORE_CORRUPT', folder, new Error(damage))
}

/** A sentence on the first damage found. */
async function findDamage(folder: string, names: readonly string[]): Promise<string | undefined> {
  if (!names.includes('CURRENT')) {
    // The first opening may have died before it wrote CURRENT; nothing was stored then.
    return names.some((name) => /\.(?:ldb|sst|log)$/.test(name)) ? 'CURRENT is missing' : undefined
  }
  const current = await readFile(join(folder, 'CURRENT'), 'utf8')
  if (!/^MANIFEST-\d+\n$/.test(current)) return 'CURRENT names no MANIFEST'
  const manifestName = current.trim()
  if (!names.includes(manifestName)) return `${manifestName} is missing`
  const manifest = readManifest(await readFile(join(folder, manifestName)))
  if (typeof manifest === 'string') return `${manifestName}: ${manifest}`
  return (await findTableDamage(folder, manifest)) ?? (await findLogDamage(folder, names, manifest))
}

async function findTableDamage(folder: string, manifest: LevelManifest): Promise<string | undefined> {
  for (const [number, bytes] of manifest.tables) {
    const name = `${String(number).padStart(6, '0')}.ldb`
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) return `${name} is missing`
    if (found.size !== bytes) return `${name} has ${found.size} bytes instead of ${bytes}`
    if (!isTableWhole(await readFile(path))) return `${name} does not match its checksums`
  }
  return undefined
}

/** Logs that the MANIFEST still needs, oldest first: their batches must follow on each other without a gap. */
async function findLogDamage(
  folder: string,
  names: readonly string[],
  manifest: LevelManifest,
): Promise<string | undefined> {
  const needed = logNumbers(names).filter((number) => number >= manifest.logNumber)
  if (manifest.logNumber > 0 && needed[0] !== manifest.logNumber) return `log ${manifest.logNumber} is missing`
  let expected: number | undefined
  let torn: string | undefined
  for (const number of needed) {
    const name = logName(number)
    const log = readLevelLog(await readFile(join(folder, name)))
    if (torn !== undefined && log.records.length > 0) return `${torn} ends too early`
    if (log.end === 'damaged') return `${name} is damaged before its end`
    if (log.end === 'torn') torn = name
    for (const record of log.records) {
      if (record.length < BATCH_HEADER_BYTES) return `${name} has a batch without a header`
      const view = new DataView(record.buffer, record.byteOffset)
      const sequence = Number(view.getBigUint64(0, true))
      const isNext = expected === undefined ? sequence <= manifest.lastSequence + 1 : sequence === expected
      if (!isNext) return `${name} does not continue where the batches before it end`
      expected = sequence + view.getUint32(8, true)
    }
  }
  return undefined
}

/** Numbers of the logs among file names, oldest first. */
export function logNumbers(names: readonly string[]): number[] {
  const numbers = names.filter((name) => /^\d+\.log$/.test(name)).map((name) => Number.parseInt(name, 10))
  return numbers.sort((a, b) => a - b)
}

export function logName(number: number): string {
  return `${String(number).padStart(6, '0')}.log`
}
