/**
 * Takes a model out of the data folder. Its shards stay in the store until `shard gc` finds that no other model needs them.
 * Spec: docs/spec/model.md §6.
 * @module
 */
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelError } from '../ml/model-error.ts'
import { checkModelName } from '../ml/model-names.ts'
import { asWriteError } from './file-errors.ts'
import { syncFolder } from './home.ts'
import { modelsFolder, openModelStore } from './model-store.ts'
import { whoServes } from './model-use.ts'
import { collectShards } from './shards/collect-shards.ts'
import { sizeOf } from './shards/model-files.ts'
import { ShardError } from './shards/shard-error.ts'

export interface RemovableModel {
  readonly name: string
  /** Its folder. */
  readonly directory: string
}

/**
 * Whether a model, which may be damaged, can be removed.
 * Throws MODEL_NOT_FOUND; MODEL_IN_USE while a miner of this data folder serves it, or for one that comes with the program.
 */
export async function checkRemovable(home: string, name: string): Promise<RemovableModel> {
  checkModelName(name)
  const directory = join(modelsFolder(home), name)
  if (sizeOf(join(directory, 'manifest.json')) === undefined) {
    const { isEmbedded } = openModelStore({ home }).find(name)
    const message = `The model ${name} comes with dllm and takes no room in the data folder, so there is nothing to remove.`
    throw new ModelError('MODEL_IN_USE', message, { details: { name, isEmbedded } })
  }
  const pid = await whoServes(home, name)
  if (pid === undefined) return { name, directory }
  const message = `Process ${pid} serves the model ${name}. Stop it first, with Ctrl-C or \`dllm devnet down\`.`
  throw new ModelError('MODEL_IN_USE', message, { details: { name, pid } })
}

/** Removes the folder in one step. Returns what a collection would free now; undefined where that is not known. Throws MODEL_UNWRITABLE. */
export async function removeModel(home: string, { name, directory }: RemovableModel): Promise<number | undefined> {
  const folder = modelsFolder(home)
  try {
    const aside = await mkdtemp(join(folder, `.replaced-${process.pid}-`))
    await rename(directory, join(aside, name))
    await syncFolder(folder)
    await rm(aside, { recursive: true, force: true })
  } catch (error) {
    throw asWriteError(error, folder)
  }
  try {
    const files = await collectShards({ home, isDryRun: true })
    return files.reduce((sum, { bytes }) => sum + bytes, 0)
  } catch (error) {
    if (error instanceof ShardError) return undefined
    throw error
  }
}
