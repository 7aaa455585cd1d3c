/**
 * Compares chunks of whole files with their leaves before they go out for the first time, because disks rot and an honest peer would be taken for a liar. Once
 * for each chunk and process: a bit each is remembered. Runs in whatever thread it is made in.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { CHUNK_BYTES, LEAF_BYTES } from '../../ml/chunk-tree.ts'
import { leafHash } from './chunk-hash.ts'
import { addChunk, emptyMap, hasChunk } from './chunk-map.ts'
import type { ChunkMap } from './chunk-source.ts'
import type { ServedFile, ServedFiles } from './served-files.ts'
import { createSharedFiles } from './shared-files.ts'

export interface ServedCheck {
  /** Whether the chunk was compared already. */
  isKnown(file: ServedFile, index: number): boolean
  /** Whether these bytes, as they are in the file, are the chunk. */
  isRight(root: Hash, file: ServedFile, chunk: { readonly index: number; readonly bytes: Uint8Array }): Promise<boolean>
}

/** Files whose compared chunks are remembered: 8 MiB of bits at most. */
const FILES_MAX = 256

/** `confirm` is asked where the bytes are not what the noted leaf says: that may be wrong itself. */
export function createServedCheck({ confirm }: Pick<ServedFiles, 'confirm'>): ServedCheck {
  const known = new Map<string, { readonly mark: string; readonly map: ChunkMap }>()
  const shared = createSharedFiles('r')

  const mapOf = ({ path, bytes }: ServedFile, mark: string): ChunkMap => {
    const entry = known.get(path)
    const map = entry?.mark === mark ? entry.map : emptyMap(bytes)
    known.delete(path)
    known.set(path, { mark, map })
    if (known.size > FILES_MAX) known.delete(known.keys().next().value!)
    return map
  }
  const isNoted = async (leaves: string, index: number, bytes: Uint8Array): Promise<boolean> => {
    const leaf = new Uint8Array(LEAF_BYTES)
    const read = await shared
      .use(leaves, (file) => file.read(leaf, 0, LEAF_BYTES, index * LEAF_BYTES))
      .catch(() => undefined)
    return read?.bytesRead === LEAF_BYTES && Buffer.compare(leafHash(bytes), leaf) === 0
  }
  return {
    isKnown: (file, index) => file.whole === undefined || hasChunk(mapOf(file, file.whole.mark), index),
    async isRight(root, file, { index, bytes }) {
      if (file.whole === undefined) return true
      const map = mapOf(file, file.whole.mark)
      if (hasChunk(map, index)) return true
      const isRight =
        bytes.length <= CHUNK_BYTES &&
        ((await isNoted(file.whole.leaves, index, bytes)) || (await confirm(root, index, leafHash(bytes))))
      if (isRight) addChunk(map, index)
      return isRight
    },
  }
}
