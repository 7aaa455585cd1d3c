/**
 * Folders that appear whole or not at all: filled under a temporary name beside the target, synced, then renamed.
 * What crashed writers left is removed by the next one. Knows nothing of models but their error.
 * @module
 */
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelError } from '../ml/model-error.ts'
import { systemCode } from './file-errors.ts'
import { isProcessAlive, syncFolder } from './home.ts'

const FILLING = '.importing-'
const REPLACED = '.replaced-'

export interface FolderTarget {
  /** Parent folder; created where it is missing. */
  readonly folder: string
  readonly name: string
  /** Replace a folder of this name. */
  readonly force: boolean
}

/**
 * Calls `fill` with an empty temporary folder and gives it its name afterwards. When `fill` fails the folder goes.
 * Throws MODEL_EXISTS, before `fill` where possible.
 */
export async function withNewFolder(target: FolderTarget, fill: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(target.folder, { recursive: true, mode: 0o700 })
  await removeLeftovers(target.folder)
  await refuseExisting(target)
  const temporary = await mkdtemp(join(target.folder, `${FILLING}${process.pid}-`))
  try {
    await fill(temporary)
    await syncFolder(temporary)
    await moveInto(temporary, target)
    await syncFolder(target.folder)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

/** Throws MODEL_EXISTS where the folder is there and may not be replaced. */
export async function refuseExisting({ folder, name, force }: FolderTarget): Promise<void> {
  if (!force && (await exists(join(folder, name)))) throw alreadyThere(name)
}

async function moveInto(temporary: string, { folder, name, force }: FolderTarget): Promise<void> {
  const path = join(folder, name)
  if (!force || !(await exists(path))) return renameNew(temporary, path, name)
  const aside = await mkdtemp(join(folder, `${REPLACED}${process.pid}-`))
  await rename(path, join(aside, name))
  try {
    await rename(temporary, path)
  } catch (error) {
    await rename(join(aside, name), path)
    throw error
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

/** Renaming onto a folder that appeared meanwhile fails, because that one is not empty. */
async function renameNew(temporary: string, path: string, name: string): Promise<void> {
  try {
    await rename(temporary, path)
  } catch (error) {
    const code = systemCode(error)
    throw code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM' ? alreadyThere(name) : error
  }
}

/** Temporary folders carry the id of their process; those of processes that are gone are rubbish. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^\.(?:importing|replaced)-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || isProcessAlive(Number(pid))) continue
    await rm(join(folder, name), { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function alreadyThere(name: string): ModelError {
  return new ModelError(
    'MODEL_EXISTS',
    `There is a model ${name} already. Choose another name with --name, or replace it with --force.`,
    { details: { name } },
  )
}
