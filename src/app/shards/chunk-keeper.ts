/**
 * Compares chunks with their leaves and writes them into unfinished files. Runs in whatever thread it is made in.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import { CHUNK_BYTES } from '../../ml/chunk-tree.ts'
import { leafHash } from './chunk-hash.ts'
import type { ChunkTarget } from './chunk-source.ts'
import { asShardWriteError } from './shard-folder.ts'
import { createSharedFiles } from './shared-files.ts'

export interface ChunkKeeper {
  /**
   * Whether the bytes are chunk `index`; then they are in the file. They may be handed to another thread and be gone here afterwards.
   * Rejects with what the disk says.
   */
  keep(index: number, into: ChunkTarget, bytes: Uint8Array): Promise<boolean>
}

export function createChunkKeeper(): ChunkKeeper {
  const files = createSharedFiles('r+')
  return {
    async keep(index, { path, leaf }, bytes) {
      if (Buffer.compare(leafHash(bytes), leaf) !== 0) return false
      try {
        await files.use(path, async (file) => {
          for (let done = 0; done < bytes.length; ) {
            done += (await file.write(bytes, done, bytes.length - done, index * CHUNK_BYTES + done)).bytesWritten
          }
        })
      } catch (error) {
        throw asShardWriteError(error, path)
      }
      return true
    },
  }
}
