/**
 * Which processes serve a model of the data folder, told by empty files beside the models: `.served-PID-NUMBER-NAME`. Those of processes that are gone
 * count for nothing and are removed by whoever looks.
 * Spec: docs/spec/home.md §1.
 * @module
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRunning } from './devnet/process.ts'
import { asWriteError } from './file-errors.ts'
import { modelsFolder, type StoredModel } from './model-store.ts'

/** A part of the command line of whoever serves: Node's own name. */
const SERVER = 'node'
const MARK = /^\.served-([1-9]\d{0,9})-\d{1,15}-(.+)$/
let marks = 0
/** Marks that this process has made: another life may have had its pid, as in a container. */
const own = new Set<string>()

/** Says that this process serves the model, until the returned function is called. A model that comes with the program cannot be removed, and has no mark. */
export async function markServed(
  home: string,
  { isEmbedded, manifest }: Pick<StoredModel, 'isEmbedded' | 'manifest'>,
): Promise<() => Promise<void>> {
  if (isEmbedded) return async () => undefined
  const folder = modelsFolder(home)
  const path = join(folder, `.served-${process.pid}-${marks++}-${manifest.name}`)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(path, '', { mode: 0o600 })
  } catch (error) {
    throw asWriteError(error, path)
  }
  own.add(path)
  return async () => {
    own.delete(path)
    await rm(path, { force: true })
  }
}

/** A process that serves the model; undefined: none. */
export async function whoServes(home: string, name: string): Promise<number | undefined> {
  const folder = modelsFolder(home)
  for (const file of await readdir(folder).catch((): string[] => [])) {
    const [, pid, model] = MARK.exec(file) ?? []
    if (pid === undefined || model !== name) continue
    const path = join(folder, file)
    const isServed = Number(pid) === process.pid ? own.has(path) : await isRunning(Number(pid), SERVER)
    if (isServed) return Number(pid)
    await rm(path, { force: true })
  }
  return undefined
}
