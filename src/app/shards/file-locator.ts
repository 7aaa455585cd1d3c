/**
 * Where served files are: asked of the store, and believed for a moment, because chunks of one file are asked for one after the other.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import { chunkCount } from '../../ml/chunk-tree.ts'
import { hasChunk } from './chunk-map.ts'
import type { ServedFile } from './served-files.ts'

export interface LocatorPorts {
  readonly clock: Clock
  locate(root: Hash): Promise<ServedFile | undefined>
}

export interface Locator {
  /** The file, if it has this chunk; undefined else. */
  withChunk(root: Hash, index: number): Promise<ServedFile | undefined>
  /** The file was not where it was said to be. */
  forget(root: Hash): void
}

/** A whole file is where it is until it goes, and an unfinished one grows. */
const BELIEVED_MS = 1_000
const LACK_BELIEVED_MS = 100
const FILES_MAX = 256

export function createLocator({ clock, locate }: LocatorPorts): Locator {
  const known = new Map<Hash, { readonly file: ServedFile | undefined; readonly atMs: number }>()
  return {
    async withChunk(root, index) {
      const hasIt = (file: ServedFile | undefined): boolean =>
        file !== undefined && index < chunkCount(file.bytes) && hasChunk(file.map, index)
      let entry = known.get(root)
      const ageMs = entry === undefined ? Number.POSITIVE_INFINITY : clock.now() - entry.atMs
      if (ageMs > (hasIt(entry?.file) ? BELIEVED_MS : LACK_BELIEVED_MS)) {
        entry = { file: await locate(root), atMs: clock.now() }
        known.delete(root)
        known.set(root, entry)
        if (known.size > FILES_MAX) known.delete(known.keys().next().value!)
      }
      return hasIt(entry?.file) ? entry?.file : undefined
    },
    forget: (root) => void known.delete(root),
  }
}
