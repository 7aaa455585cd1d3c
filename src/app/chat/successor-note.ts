/**
 * Which version took the place of a model, as a chat of this data folder has seen it: the chain forgets models that have retired, and a light client cannot
 * search it for what followed them.
 * Spec: docs/spec/cli.md §11.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hash, hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { writeFileAtomic } from '../home.ts'
import { modelsFolder, type StoredModel } from '../model-store.ts'

const NOTE = 'successor'

type NamedModel = { readonly manifest: Pick<StoredModel['manifest'], 'name'> }

/** undefined: there is no note, or none that can be read. */
export function notedSuccessor(home: string, model: NamedModel): Hash | undefined {
  try {
    const text = readFileSync(pathOf(home, model), 'utf8').trim()
    return /^[0-9a-f]{64}$/.test(text) ? hash(text) : undefined
  } catch {
    return undefined
  }
}

/** In the data folder, also for a model that comes with the program. A disk that is full keeps nobody from chatting. */
export async function noteSuccessor(home: string, model: NamedModel, successor: Hash): Promise<void> {
  if (notedSuccessor(home, model) === successor) return
  try {
    await writeFileAtomic(pathOf(home, model), new TextEncoder().encode(`${successor}\n`))
  } catch (error) {
    if (codeOf(error) === undefined) throw error
  }
}

function pathOf(home: string, { manifest }: NamedModel): string {
  return join(modelsFolder(home), manifest.name, NOTE)
}
