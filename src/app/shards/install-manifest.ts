/**
 * A model that begins with its manifest alone: its files come later.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modelHash } from '../../ml/manifest.ts'
import { parseManifest } from '../../ml/manifest-parse.ts'
import { ModelError } from '../../ml/model-error.ts'
import { asWriteError } from '../file-errors.ts'
import { MANIFEST_FILE, modelsFolder, openModelStore, type StoredModel } from '../model-store.ts'
import { withNewFolder } from '../new-folder.ts'

/**
 * Keeps a manifest that somebody else may have sent as a model of the data folder, at once or not at all. A model that is here already is given back as it is.
 * Throws MODEL_BAD_MANIFEST or MODEL_BAD_NAME; MODEL_EXISTS where its name belongs to another model; MODEL_NO_SPACE, MODEL_UNWRITABLE.
 */
export async function installManifest(home: string, bytes: Uint8Array): Promise<StoredModel> {
  const manifest = parseManifest(bytes)
  const here = modelHere(home, bytes)
  if (here !== undefined) return here
  const target = { folder: modelsFolder(home), name: manifest.name, force: false }
  try {
    await withNewFolder(target, (folder) => writeFile(join(folder, MANIFEST_FILE), bytes, { flush: true, mode: 0o600 }))
  } catch (error) {
    // Another process was faster.
    const taken = error instanceof ModelError && error.code === 'MODEL_EXISTS' ? modelHere(home, bytes) : undefined
    if (taken !== undefined) return taken
    throw error instanceof ModelError ? error : asWriteError(error, target.folder)
  }
  return openModelStore({ home }).find(manifest.name)
}

/** The model of this manifest, if it is here. Throws MODEL_EXISTS where another one has its name. */
function modelHere(home: string, bytes: Uint8Array): StoredModel | undefined {
  const manifest = parseManifest(bytes)
  const hash = modelHash(manifest)
  const models = openModelStore({ home })
  const same = models.list().find((model) => model.hash === hash)
  if (same !== undefined) return same
  if (!models.names().includes(manifest.name)) return undefined
  throw new ModelError(
    'MODEL_EXISTS',
    `There is another model named ${manifest.name} here. Remove it with \`dllm model remove ${manifest.name}\`, or use another data folder with --home.`,
    { details: { name: manifest.name, hash } },
  )
}
