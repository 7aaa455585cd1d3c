/**
 * The canary of a model on disk: the file lies in the store under its root, and `canary.json` in the model's folder names it, so that it counts as a
 * file of the model.
 * Spec: docs/spec/model.md §12.
 * @module
 */
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import { type Canary, canaryBytesMax, decodeCanary, encodeCanary } from '../../ml/canary.ts'
import { rootOfLeaves } from '../../ml/chunk-tree.ts'
import { parseJson, readFields } from '../../ml/json-fields.ts'
import { ModelError } from '../../ml/model-error.ts'
import { asWriteError } from '../file-errors.ts'
import { writeFileAtomic } from '../home.ts'
import { modelsFolder, type StoredModel } from '../model-store.ts'
import { leavesOfBytes, rootOfBytes } from '../shards/chunk-hash.ts'
import type { FileId } from '../shards/chunk-source.ts'
import type { ShardStore } from '../shards/shard-store.ts'

const CANARY_NOTE = 'canary.json'
/** What lists call the file; no file of a manifest can have this name, since it is none. */
export const CANARY_NAME = '(canary)'

type NamedModel = { readonly manifest: Pick<StoredModel['manifest'], 'name'> }

/** The canary that a model's folder names; undefined where it names none, or nothing that can be read. */
export function notedCanary(home: string, { manifest }: NamedModel): FileId | undefined {
  const bad = (problem: string): ModelError => new ModelError('MODEL_UNREADABLE', `${CANARY_NOTE} ${problem}.`)
  try {
    const fields = readFields(parseJson(readFileSync(join(folderOf(home, manifest), CANARY_NOTE)), bad), bad)
    const root = fields.text('root')
    if (!/^[0-9a-f]{64}$/.test(root)) throw bad('names no root')
    return { root: hash(root), bytes: fields.integer('bytes', { min: 1, max: Number.MAX_SAFE_INTEGER }) }
  } catch {
    return undefined
  }
}

/** In the data folder, also for a model that comes with the program. */
function folderOf(home: string, { name }: NamedModel['manifest']): string {
  return join(modelsFolder(home), name)
}

/** Names the canary of a model that is here, before it is fetched: from now on nothing collects it. Throws MODEL_UNWRITABLE, MODEL_NO_SPACE. */
export async function noteCanary(home: string, { manifest }: NamedModel, { root, bytes }: FileId): Promise<void> {
  const folder = folderOf(home, manifest)
  const path = join(folder, CANARY_NOTE)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify({ root, bytes })}\n`))
  } catch (error) {
    throw asWriteError(error, path)
  }
}

/** Puts a canary that was made here into the store, and names it. Throws MODEL_UNWRITABLE, MODEL_NO_SPACE, and what the store throws. */
export async function keepCanary(
  { home, store }: { readonly home: string; readonly store: ShardStore },
  model: NamedModel,
  canary: Canary,
): Promise<FileId> {
  const bytes = encodeCanary(canary)
  const leaves = leavesOfBytes(bytes)
  const file: FileId = { root: rootOfLeaves(leaves), bytes: bytes.length }
  await noteCanary(home, model, file)
  if (await store.has(file)) return file
  const path = join(folderOf(home, model.manifest), `.canary-${process.pid}`)
  try {
    await writeFile(path, bytes, { flush: true, mode: 0o600 })
  } catch (error) {
    throw asWriteError(error, path)
  }
  await store.adopt(path, file, leaves)
  return file
}

/** A canary of the store, compared with its root and read. Throws MODEL_BAD_CANARY, MODEL_UNREADABLE. */
export async function readCanary(
  { manifest, hash: model }: Pick<StoredModel, 'manifest' | 'hash'>,
  file: FileId,
  store: ShardStore,
): Promise<Canary> {
  if (file.bytes > canaryBytesMax(manifest)) throw badCanary(manifest.name, `has ${file.bytes} bytes`)
  const path = store.pathOf(file.root)
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ModelError('MODEL_UNREADABLE', `Cannot read ${path}. Fetch the model again.`, { cause })
  })
  if (bytes.length !== file.bytes || rootOfBytes(bytes) !== file.root) throw badCanary(manifest.name, 'was changed')
  try {
    const canary = decodeCanary(bytes, manifest)
    if (canary.model === model) return canary
  } catch (error) {
    if (codeOf(error)?.startsWith('CODEC_') !== true) throw error
    throw badCanary(manifest.name, `cannot be read (${messageOf(error)})`)
  }
  throw badCanary(manifest.name, 'is that of another model')
}

function badCanary(name: string, problem: string): ModelError {
  return new ModelError('MODEL_BAD_CANARY', `The canary of ${name} ${problem}. Its publisher has to publish it again.`)
}
