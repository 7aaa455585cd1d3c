/**
 * Models on disk: `<home>/models/<name>/` with a manifest and tokenizer files, and the model that comes with
 * the program. Shards are beside them or in the store of files by their content (app/shards). Reading only; model-import.ts writes. Synchronous, so that engine threads can use it.
 * Spec: docs/spec/model.md §6.
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Hash } from '../base/brand.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import { type ModelManifest, modelHash } from '../ml/manifest.ts'
import { parseManifest } from '../ml/manifest-parse.ts'
import { ModelError } from '../ml/model-error.ts'
import { checkModelName } from '../ml/model-names.ts'
import { type OpenWeights, type OpenWeightsOptions, openWeights } from './shard-reader.ts'
import { shardsFolder } from './shards/shard-folder.ts'

export const MANIFEST_FILE = 'manifest.json'

/** A model whose manifest was read and checked. Its shards are checked when they are opened. Plain data. */
export interface StoredModel {
  readonly manifest: ModelManifest
  /** SHA-256 of the manifest. */
  readonly hash: Hash
  /** Absolute. */
  readonly directory: string
  /** Where files are that are not in the directory: app/shards/model-files.ts finds them. Absolute. */
  readonly shardsFolder: string
  /** Comes with the program instead of lying in the data folder. */
  readonly isEmbedded: boolean
}

/** A folder among the models that cannot be used, and why. */
export interface BrokenModel {
  readonly name: string
  readonly error: unknown
}

export interface ModelStore {
  /** Models by name, those of the data folder before embedded ones of the same name. */
  list(): StoredModel[]
  /** Names of all folders with a manifest, also of those that cannot be used. */
  names(): string[]
  /** Folders that `list` leaves out. */
  broken(): BrokenModel[]
  /** Throws MODEL_NOT_FOUND, MODEL_BAD_NAME or MODEL_BAD_MANIFEST. */
  find(name: string): StoredModel
  /** Weights of segments [firstSegment, lastSegmentExclusive); see shard-reader.ts. */
  openWeights(
    model: StoredModel,
    firstSegment: number,
    lastSegmentExclusive: number,
    options?: OpenWeightsOptions,
  ): OpenWeights
}

export interface ModelStoreOptions {
  /** The data folder. */
  readonly home: string
  /** Folder of the models that come with the program. */
  readonly embedded?: string
}

/** Folder of models in a data folder. */
export function modelsFolder(home: string): string {
  return join(home, 'models')
}

/** `models/` of the package: this file lies two folders below its root, in src and in dist. */
function embeddedFolder(): string {
  return fileURLToPath(new URL('../../models/', import.meta.url))
}

/** Folders of models that have a manifest, those of the data folder first. Absolute if `home` is. */
export function modelFolders(home: string, embedded: string = embeddedFolder()): string[] {
  return [modelsFolder(home), embedded].flatMap((folder) =>
    foldersIn(folder)
      .filter(isModelFolder)
      .map((name) => join(folder, name)),
  )
}

export function openModelStore({ home, embedded = embeddedFolder() }: ModelStoreOptions): ModelStore {
  const places = [
    { folder: modelsFolder(home), isEmbedded: false },
    { folder: embedded, isEmbedded: true },
  ]
  const shards = shardsFolder(resolve(home))
  const load = (name: string): StoredModel => {
    checkModelName(name)
    const place = places.find(({ folder }) => isFile(join(folder, name, MANIFEST_FILE)))
    if (place === undefined) throw notFound(name, namesIn(places))
    const { folder, isEmbedded } = place
    return readModel(name, { directory: join(folder, name), shardsFolder: shards, isEmbedded })
  }
  const attempts = (): (StoredModel | BrokenModel)[] =>
    namesIn(places).map((name) => {
      try {
        return load(name)
      } catch (error) {
        return { name, error }
      }
    })
  return {
    find: load,
    names: () => namesIn(places),
    list: () => attempts().filter((found) => 'manifest' in found),
    broken: () => attempts().filter((found) => 'error' in found),
    openWeights: (model, firstSegment, lastSegmentExclusive, options) =>
      openWeights(model, { firstSegment, lastSegmentExclusive }, options),
  }
}

function readModel(name: string, place: Omit<StoredModel, 'manifest' | 'hash'>): StoredModel {
  const path = join(place.directory, MANIFEST_FILE)
  const manifest = parseManifest(readBounded(path, MODEL_LIMITS.manifestBytesMax))
  if (manifest.name !== name) {
    throw new ModelError(
      'MODEL_BAD_MANIFEST',
      `${path} is the manifest of ${manifest.name}. Rename the folder to that.`,
    )
  }
  return { manifest, hash: modelHash(manifest), ...place }
}

/** A whole file of at most `bytesMax`. Throws MODEL_UNREADABLE. */
export function readBounded(path: string, bytesMax: number): Uint8Array {
  try {
    const { size } = statSync(path)
    if (size <= bytesMax) return readFileSync(path)
  } catch (cause) {
    throw new ModelError('MODEL_UNREADABLE', `Cannot read ${path}. Check that it is there and may be read.`, { cause })
  }
  throw new ModelError('MODEL_UNREADABLE', `${path} has more than ${bytesMax} bytes, which no such file has.`)
}

function namesIn(places: readonly { readonly folder: string }[]): string[] {
  const names = places.flatMap(({ folder }) => foldersIn(folder))
  return [...new Set(names)].filter(isModelFolder).sort()
}

/** Dots start the folders of imports that are under way. */
function isModelFolder(name: string): boolean {
  return !name.startsWith('.')
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .filter((name) => isFile(join(folder, name, MANIFEST_FILE)))
  } catch {
    return [] // no model was imported yet
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function notFound(name: string, known: readonly string[]): ModelError {
  const there = known.length === 0 ? 'There are none yet' : `There are: ${known.join(', ')}`
  return new ModelError(
    'MODEL_NOT_FOUND',
    `There is no model ${name} here. ${there}. Import one with \`dllm model import FOLDER --name ${name}\`.`,
    { details: { name } },
  )
}
