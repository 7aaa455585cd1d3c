/**
 * A lock that a process holds by a file with its pid: for what only one process of a data folder may do at a time. The
 * lock of a process that died is taken over.
 * @module
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRunning } from './process.ts'

export interface Lock {
  release(): Promise<void>
}

/** Takes the lock, or tells the pid of its holder, 0 while that is being written. `mark` is a part of the holder's command line. */
export async function tryLock(path: string, mark = ''): Promise<Lock | { readonly holder: number }> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  if (await create(path)) return lockAt(path)
  const holder = await holderOf(path)
  if (holder === 0 || (await isRunning(holder, mark))) return { holder }
  // Of several that find the holder dead, one removes its file; and only while it is still the dead one's.
  const takeover = `${path}.takeover`
  if (!(await create(takeover))) return { holder: await holderOf(takeover) }
  try {
    if ((await holderOf(path)) === holder) await rm(path, { force: true })
  } finally {
    await rm(takeover, { force: true })
  }
  return (await create(path)) ? lockAt(path) : { holder: await holderOf(path) }
}

function lockAt(path: string): Lock {
  return { release: () => rm(path, { force: true }) }
}

/** False when it is there already. */
async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function holderOf(path: string): Promise<number> {
  return Number(await readFile(path, 'utf8').catch(() => '')) || 0
}
