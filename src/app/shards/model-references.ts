/**
 * Which files the models of this machine name. Nothing on disk counts references: they follow from the manifests.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'
import { MODEL_LIMITS } from '../../base/limits.ts'
import { parseManifest } from '../../ml/manifest-parse.ts'
import { CANARY_NAME, notedCanary } from '../canary/canary-files.ts'
import { MANIFEST_FILE, modelsFolder, openModelStore, readBounded, type StoredModel } from '../model-store.ts'
import type { FileId } from './chunk-source.ts'
import { filesOf, type ModelFile } from './model-files.ts'

/** That a model names a file. */
export interface FileUse extends ModelFile {
  readonly model: StoredModel
}

/** The uses of each root, by models that are here. */
export function readUses(home: string): ReadonlyMap<Hash, readonly FileUse[]> {
  const uses = new Map<Hash, FileUse[]>()
  for (const model of openModelStore({ home }).list()) {
    for (const file of namedFiles(home, model)) {
      const others = uses.get(file.root)
      if (others === undefined) uses.set(file.root, [{ ...file, model }])
      else others.push({ ...file, model })
    }
  }
  return uses
}

/** Those of its manifest, and its canary. */
function namedFiles(home: string, model: StoredModel): ModelFile[] {
  const canary = notedCanary(home, model)
  const files = filesOf(model.manifest)
  return canary === undefined ? files : [...files, { ...canary, name: CANARY_NAME, segment: undefined }]
}

export interface NamedRoots {
  readonly roots: ReadonlySet<Hash>
  /** Folders of models whose manifest cannot be read: what they name is not known. */
  readonly unreadable: readonly string[]
}

/**
 * Every root that a manifest names, also those of imports that have not ended. An import writes its manifest before it moves a file into the store, and
 * its folder is renamed once: of two looks one after the other, one sees it whole.
 */
export function readNamedRoots(home: string): NamedRoots {
  const looks = [lookAtManifests(home), lookAtManifests(home)]
  return {
    roots: new Set(looks.flatMap(({ files }) => files.map(({ root }) => root))),
    unreadable: [...new Set(looks.flatMap(({ unreadable }) => unreadable))],
  }
}

function lookAtManifests(home: string): { files: FileId[]; unreadable: string[] } {
  const models = openModelStore({ home })
  const files: FileId[] = models.list().flatMap((model) => namedFiles(home, model))
  for (const folder of foldersOfImports(home)) {
    try {
      files.push(...filesOf(parseManifest(readBounded(join(folder, MANIFEST_FILE), MODEL_LIMITS.manifestBytesMax))))
    } catch {
      // It has not come to its manifest, and so not to the store; or it has ended.
    }
  }
  return { files, unreadable: models.broken().map(({ name }) => name) }
}

function foldersOfImports(home: string): string[] {
  const folder = modelsFolder(home)
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith('.'))
      .map((name) => join(folder, name))
  } catch {
    return [] // no model was imported yet
  }
}
