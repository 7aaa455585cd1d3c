/**
 * Where the files of a model are: in the folder of the model, where models that come with the program and older imports have them, or else in the
 * store. Synchronous where engine threads need it.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'
import type { FileEntry, ModelManifest } from '../../ml/manifest.ts'
import type { StoredModel } from '../model-store.ts'
import type { FileId } from './chunk-source.ts'
import { shardPaths } from './shard-folder.ts'

/** What tells where a model's files are. */
export type ModelPlace = Pick<StoredModel, 'directory' | 'shardsFolder'>

/** A file that a manifest names. */
export interface ModelFile extends FileEntry {
  /** The segment that it is the shard of; undefined: a file of the tokenizer. */
  readonly segment: number | undefined
}

/** Every file that a manifest names: shards in the order of segments, then the others. */
export function filesOf({ segments, files }: Pick<ModelManifest, 'segments' | 'files'>): ModelFile[] {
  const shards = segments.map(({ shard: { file: name, bytes, root } }, segment) => ({ name, bytes, root, segment }))
  return [...shards, ...files.map((file) => ({ ...file, segment: undefined }))]
}

/** The path of a file that is there with its size; else of what is there instead, or where it would be. */
export function pathOfFile(place: ModelPlace, { name, root, bytes }: FileEntry): string {
  const own = join(place.directory, name)
  const { whole } = shardPaths(place.shardsFolder, root)
  const paths = [own, whole]
  return paths.find((path) => sizeOf(path) === bytes) ?? paths.find((path) => sizeOf(path) !== undefined) ?? whole
}

/** Whether a file is there with its size. Its content is compared when it is used. */
export function isHere(place: ModelPlace, file: FileEntry): boolean {
  return sizeOf(pathOfFile(place, file)) === file.bytes
}

/** Shards of segments [firstSegment, lastSegment) that are not here, each once. */
export function missingFiles(
  model: ModelPlace & Pick<StoredModel, 'manifest'>,
  firstSegment: number,
  lastSegment: number,
): FileId[] {
  return missingOf(
    model,
    filesOf(model.manifest).filter(
      ({ segment }) => segment !== undefined && segment >= firstSegment && segment < lastSegment,
    ),
  )
}

/** How many segments are here. */
export function segmentsHere(model: ModelPlace & Pick<StoredModel, 'manifest'>): number {
  return filesOf(model.manifest).filter((file) => file.segment !== undefined && isHere(model, file)).length
}

/** Files of the tokenizer that are not here: for who chats, not for who mines. */
export function missingTokenizerFiles(model: ModelPlace & Pick<StoredModel, 'manifest'>): FileId[] {
  return missingOf(model, model.manifest.files)
}

function missingOf(place: ModelPlace, files: readonly FileEntry[]): FileId[] {
  const missing = new Map<Hash, FileId>()
  for (const file of files) {
    if (!isHere(place, file)) missing.set(file.root, { root: file.root, bytes: file.bytes })
  }
  return [...missing.values()]
}

/** Size of a file; undefined where none is. */
export function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true ? found.size : undefined
}
