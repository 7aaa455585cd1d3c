/**
 * The data folder: one place for settings, keys, models and logs, private to its owner, with a version that says
 * who may write in it. Files change atomically: a reader sees the old bytes or the new ones, never a part.
 * Spec: docs/spec/home.md.
 * @module
 */
import { access, constants, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { threadId } from 'node:worker_threads'
import { HouseError } from '../base/error.ts'

export class HomeError extends HouseError<
  'HOME_NOT_A_FOLDER' | 'HOME_NOT_WRITABLE' | 'HOME_NOT_OURS' | 'HOME_OTHER_VERSION' | 'HOME_DISK_FULL'
> {}

/** Changes when an older program could no longer read the folder. */
export const HOME_VERSION = '1'

const VERSION_FILE = 'version'
const TEMPORARY_PREFIX = '.tmp-'
/** Whoever is told to put a network's file there may do so before the program ran for the first time. */
const NETWORKS = 'networks'
/** Pid, thread, number. */
const TEMPORARY_NAME = /^\.tmp-([1-9]\d{0,9})-(\d{1,9})-(\d{1,15})$/
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600
/** A version file is one short line; anything longer is not ours. */
const VERSION_BYTES_MAX = 64

export interface Home {
  /** Absolute path of the folder. */
  readonly path: string
  /** Absolute path of something inside; nothing is created. */
  file(...names: string[]): string
  /** Absolute path of a folder inside, created 0700 with its parents. */
  folder(...names: string[]): Promise<string>
}

/** `DLLM_HOME`, or `.dllm` in the user's home folder. */
export function defaultHomePath(): string {
  return process.env['DLLM_HOME'] || join(homedir(), '.dllm')
}

/**
 * Opens the data folder, creating it where it is missing.
 * @throws HomeError when it is a file, not writable, holds other people's files, or has another version.
 */
export async function openHome(options: { readonly path: string }): Promise<Home> {
  const path = resolve(options.path)
  await createFolder(path)
  await checkWritable(path)
  await checkVersion(path)
  return {
    path,
    file: (...names) => join(path, ...names),
    async folder(...names) {
      const folder = join(path, ...names)
      await createFolder(folder)
      return folder
    },
  }
}

let temporaryCounter = 0

/** Folders that this process has written in. */
const tidied = new Set<string>()

/**
 * Replaces a file in one step: temporary file beside it, fsync, rename, fsync of the folder. Creates the folder 0700.
 * `mode` is the file's permission bits, 0600 unless given. The first time in a folder, what killed processes left of the same is removed.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const folder = dirname(path)
  await createFolder(folder)
  const { file, temporary } = await openTemporary(folder, options.mode ?? FILE_MODE).catch((error: unknown) => {
    throw asHomeError(error, path)
  })
  try {
    if (!tidied.has(folder)) await removeLeftovers(folder, temporary)
    tidied.add(folder)
    await writeAndClose(file, content)
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true })
    throw asHomeError(error, path)
  }
}

/** What processes that were killed left of `writeFileAtomic`. Nobody else may be writing in the folder. */
export async function removeTemporaries(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => name.startsWith(TEMPORARY_PREFIX))
  await Promise.all(left.map((name) => rm(join(folder, name), { force: true })))
}

/** Longer than any write takes. */
const LEFTOVER_AGE_MS = 60_000

/**
 * Temporary files of processes that are gone. Others may be writing in the folder, also on machines and in containers whose
 * pids we do not see: so only what is older than `newest`, a file made just now, by more than any write takes.
 */
async function removeLeftovers(folder: string, newest: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => isLeftover(name))
  if (names.length === 0) return
  const { mtimeMs: nowMs } = await stat(newest)
  const remove = async (path: string): Promise<void> => {
    if (nowMs - (await stat(path)).mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true })
  }
  // What somebody else removes first, or keeps from being removed, is in nobody's way.
  await Promise.all(names.map((name) => remove(join(folder, name)).catch(() => undefined)))
}

/** A name of ours whose process is gone; in a container, every life of which has the same pid, also ours from before. */
function isLeftover(name: string): boolean {
  const [, pid, thread, number] = TEMPORARY_NAME.exec(name) ?? []
  if (pid === undefined) return false
  if (Number(pid) !== process.pid) return !isProcessAlive(Number(pid))
  return Number(thread) === threadId && Number(number) >= temporaryCounter
}

/** Whether a process of this machine that we can see has this id. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It lives, and is another user's.
    return systemCode(error) === 'EPERM'
  }
}

/** In a container every life has the same pid: a name may be taken by what an earlier one left when it was killed. */
async function openTemporary(folder: string, mode: number): Promise<{ file: FileHandle; temporary: string }> {
  for (;;) {
    const temporary = join(folder, `${TEMPORARY_PREFIX}${process.pid}-${threadId}-${temporaryCounter++}`)
    try {
      return { file: await open(temporary, 'wx', mode), temporary }
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

async function writeAndClose(file: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the rename itself durable; some systems cannot sync folders, which costs durability only. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  if (handle === undefined) return
  await handle.sync().catch(() => undefined)
  await handle.close()
}

/** Parents first, each once: `recursive` of Node never returns where a parent can appear to be missing, as in /proc. */
async function createFolder(path: string): Promise<void> {
  if (await isFolder(path)) return
  if (dirname(path) !== path) await createFolder(dirname(path))
  try {
    await mkdir(path, FOLDER_MODE)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw asHomeError(error, path)
    if (!(await isFolder(path))) throw notAFolder(path)
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

async function checkWritable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw asHomeError(error, path)
  }
}

async function checkVersion(path: string): Promise<void> {
  const found = await readVersion(path)
  if (found === HOME_VERSION) return
  if (found !== undefined) {
    throw new HomeError(
      'HOME_OTHER_VERSION',
      `The data folder ${path} has version ${found}, and this program reads version ${HOME_VERSION}. Use another folder with --home, or the dllm that made it.`,
      { details: { path, found, expected: HOME_VERSION } },
    )
  }
  const strangers = (await readdir(path)).filter((name) => !name.startsWith(TEMPORARY_PREFIX) && name !== NETWORKS)
  // Another process may have made the folder ready between the two reads.
  if (strangers.includes(VERSION_FILE)) return checkVersion(path)
  if (strangers.length > 0) {
    throw new HomeError(
      'HOME_NOT_OURS',
      `The folder ${path} has files in it that are not from dllm. Name an empty or new folder with --home.`,
      { details: { path } },
    )
  }
  await writeFileAtomic(join(path, VERSION_FILE), `${HOME_VERSION}\n`)
}

async function readVersion(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(path, VERSION_FILE), 'utf8')
    return JSON.stringify(text.trim().slice(0, VERSION_BYTES_MAX)).slice(1, -1)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw asHomeError(error, path)
  }
}

function notAFolder(path: string): HomeError {
  return new HomeError('HOME_NOT_A_FOLDER', `${path} is not a folder. Name another one with --home.`, {
    details: { path },
  })
}

/** Turns the system's refusals into ours; anything else stays what it is. */
function asHomeError(error: unknown, path: string): unknown {
  const code = systemCode(error)
  const details = { path, system: code }
  if (code === 'EEXIST' || code === 'ENOTDIR') return notAFolder(path)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT') {
    const message = `Cannot write to ${path}. Give this user the right to write there, or name another folder with --home.`
    return new HomeError('HOME_NOT_WRITABLE', message, { details, cause: error })
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `The disk is full: ${path} was not written. Free some space and run the command again.`
    return new HomeError('HOME_DISK_FULL', message, { details, cause: error })
  }
  return error
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
