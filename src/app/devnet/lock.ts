/**
 * A lock that a process holds by a file with its pid: for what only one process of a data folder may do at a time. The
 * lock of a process that died is taken over.
 * @module
 */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
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
  if (holder === 0 || (await isHeld(path, holder, mark))) return { holder }
  // Of several that find the holder dead, one removes its file; and only while it is still the dead one's.
  const takeover = `${path}.takeover`
  if (!(await create(takeover))) {
    const other = await holderOf(takeover)
    if (other === 0 || (await isHeld(takeover, other, mark))) return { holder: other }
    // Killed while it took over.
    await rm(takeover, { force: true })
    if (!(await create(takeover))) return { holder: await holderOf(takeover) }
  }
  try {
    if ((await holderOf(path)) === holder) await rm(path, { force: true })
  } finally {
    await remove(takeover)
  }
  return (await create(path)) ? lockAt(path) : { holder: await holderOf(path) }
}

/** Whether somebody who lives has the lock, or is just taking it. `mark`: as of `tryLock`. */
export async function isLocked(path: string, mark = ''): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const holder = Number(text) || 0
  return text !== undefined && (holder === 0 || isHeld(path, holder, mark))
}

function lockAt(path: string): Lock {
  return { release: () => remove(path) }
}

/** Files that this process has made: another life may have had its pid, as in a container. */
const own = new Set<string>()
let attempts = 0

async function isHeld(path: string, holder: number, mark: string): Promise<boolean> {
  return holder === process.pid ? own.has(path) : isRunning(holder, mark)
}

async function remove(path: string): Promise<void> {
  own.delete(path)
  await rm(path, { force: true })
}

/**
 * False when it is there already. It comes with the pid inside, as a link to a file that has it: a process killed in between
 * leaves no lock of nobody.
 */
async function create(path: string): Promise<boolean> {
  const written = `${path}.${process.pid}-${attempts++}`
  await writeFile(written, String(process.pid), { mode: 0o600 })
  try {
    await link(written, path)
    own.add(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(written, { force: true })
  }
}

async function holderOf(path: string): Promise<number> {
  return Number(await readFile(path, 'utf8').catch(() => '')) || 0
}
