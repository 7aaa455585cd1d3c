/**
 * What peers may have of this machine: models by the hash of their manifest, whole files of the store and of models' folders, and the chunks of
 * unfinished files that this process has compared. Leaves that are not there yet are made, and compared with the root, at the first question.
 * Spec: docs/spec/shards.md §2, §4.
 * @module
 */
import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'
import { MODEL_LIMITS } from '../../base/limits.ts'
import { areLeavesOf, leafAt } from '../../ml/chunk-tree.ts'
import { writeFileAtomic } from '../home.ts'
import { MANIFEST_FILE, modelFolders, modelsFolder } from '../model-store.ts'
import { leavesOfFile } from './chunk-hash.ts'
import { fullMap } from './chunk-map.ts'
import type { FileId } from './chunk-source.ts'
import { pathOfFile } from './model-files.ts'
import { readUses } from './model-references.ts'
import type { ServedFile, ServedFiles } from './served-files.ts'
import { shardPaths } from './shard-folder.ts'
import type { ShardStore } from './shard-store.ts'

/** A whole file and where it is; `mark` changes when it does. */
type WholeFile = FileId & { readonly path: string; readonly mark: string }

/** Files whose comparison is remembered. */
const COMPARED_MAX = 4_096
/** Files whose leaves could not be kept on the disk, and are here in memory: of a 4 GB file 128 KiB. */
const UNKEPT_MAX = 16

/** A file that the disk has damaged. */
export interface DamagedFile {
  readonly root: Hash
  readonly path: string
}

export interface ServedStoreOptions {
  /** The data folder. */
  readonly home: string
  /** The one whose unfinished files are served. */
  readonly store: ShardStore
  /** Told of each once. */
  readonly onDamaged: (file: DamagedFile) => void
}

/** `signal` ends the hashing of files. */
export function serveStore({ home, store, onDamaged }: ServedStoreOptions, signal: AbortSignal): ServedFiles {
  const findInModels = createFinder(home)
  /** Files that are being hashed now, so that a file is hashed once for all who ask. */
  const hashing = new Map<Hash, Promise<Uint8Array | undefined>>()
  /** By path, which mark of it was compared with its root, and whether it is what it is called: strangers' questions make nobody hash it again. */
  const compared = new Map<string, { readonly mark: string; readonly isRight: boolean }>()
  /** Where the disk is full a file would be hashed for each of its chunks. */
  const unkept = new Map<Hash, Uint8Array>()

  const outcomeOf = ({ path, mark }: WholeFile): boolean | undefined => {
    const known = compared.get(path)
    return known?.mark === mark ? known.isRight : undefined
  }
  const remember = ({ path, mark }: WholeFile, isRight: boolean): void => {
    compared.set(path, { mark, isRight })
    if (compared.size > COMPARED_MAX) compared.delete(compared.keys().next().value!)
  }
  const findWhole = async (root: Hash): Promise<WholeFile | undefined> => {
    const path = store.pathOf(root)
    const found = await stat(path).catch(() => undefined)
    return found?.isFile() ? { root, bytes: found.size, path, mark: markOf(found) } : findInModels(root)
  }

  const leavesOf = async (root: Hash): Promise<Uint8Array | undefined> => {
    const known = (await store.leaves(root)) ?? unkept.get(root)
    if (known !== undefined) return known
    const running = hashing.get(root)
    if (running !== undefined) return running
    const made = makeLeaves(root).finally(() => hashing.delete(root))
    hashing.set(root, made)
    return made
  }

  const makeLeaves = async (root: Hash): Promise<Uint8Array | undefined> => {
    const whole = await findWhole(root)
    if (whole === undefined || outcomeOf(whole) === false) return undefined
    const file = await open(whole.path, 'r').catch(() => undefined)
    if (file === undefined) return undefined
    try {
      const leaves = await leavesOfFile(file, signal)
      const isRight = areLeavesOf(whole, leaves)
      remember(whole, isRight)
      if (!isRight) onDamaged({ root, path: whole.path })
      if (!isRight) return undefined
      await writeFileAtomic(shardPaths(store.folder, root).leaves, leaves).catch(() => {
        unkept.set(root, leaves)
        if (unkept.size > UNKEPT_MAX) unkept.delete(unkept.keys().next().value!)
      })
      return leaves
    } finally {
      await file.close()
    }
  }

  return {
    manifest: (model) => findManifest(home, model),
    leaves: leavesOf,
    async locate(root): Promise<ServedFile | undefined> {
      const partial = store.partial(root)
      if (partial !== undefined) return { path: partial.path, bytes: partial.file.bytes, map: partial.map }
      const whole = await findWhole(root)
      if (whole === undefined || outcomeOf(whole) === false) return undefined
      if (outcomeOf(whole) === undefined) {
        // A file whose leaves are known was compared with its root once.
        const leaves = await leavesOf(root)
        if (leaves === undefined || !areLeavesOf(whole, leaves)) return undefined
        remember(whole, true)
      }
      const { path, bytes, mark } = whole
      return { path, bytes, map: fullMap(bytes), whole: { mark, leaves: shardPaths(store.folder, root).leaves } }
    },
    async confirm(root, index, leaf) {
      const whole = await findWhole(root)
      if (whole === undefined || outcomeOf(whole) === false) return false
      const leaves = await leavesOf(root)
      // The file went, or cannot be opened now; if it was hashed and is damaged, that was told.
      if (leaves === undefined) return false
      if (Buffer.compare(leafAt(leaves, index), leaf) === 0) return true
      if (outcomeOf(whole) !== false) onDamaged({ root, path: whole.path })
      remember(whole, false)
      return false
    },
  }
}

/** The manifest with this hash, among the models that are here now. */
async function findManifest(home: string, model: Hash): Promise<Uint8Array | undefined> {
  for (const folder of modelFolders(home)) {
    const path = join(folder, MANIFEST_FILE)
    const { size } = await stat(path).catch(() => ({ size: Number.POSITIVE_INFINITY }))
    if (size > MODEL_LIMITS.manifestBytesMax) continue
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === model) return bytes
  }
  return undefined
}

type Place = Omit<WholeFile, 'mark'>

function markOf({ size, mtimeMs, ino }: Stats): string {
  return `${size} ${mtimeMs} ${ino}`
}

/** Finds files in the folders of models. Manifests are read again when a model came or went. */
function createFinder(home: string): (root: Hash) => Promise<WholeFile | undefined> {
  let readAt: number | undefined
  let places = new Map<Hash, Place>()
  return async (root) => {
    const changedAt = (await stat(modelsFolder(home)).catch(() => undefined))?.mtimeMs ?? 0
    if (changedAt !== readAt) {
      readAt = changedAt
      places = placesOf(home)
    }
    const place = places.get(root)
    const found = place === undefined ? undefined : await stat(place.path).catch(() => undefined)
    return place !== undefined && found?.isFile() && found.size === place.bytes
      ? { ...place, mark: markOf(found) }
      : undefined
  }
}

function placesOf(home: string): Map<Hash, Place> {
  const places = new Map<Hash, Place>()
  for (const [root, uses] of readUses(home)) {
    for (const use of uses) {
      const path = pathOfFile(use.model, use)
      if (path.startsWith(use.model.directory)) places.set(root, { root, bytes: use.bytes, path })
    }
  }
  return places
}
