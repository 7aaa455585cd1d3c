/**
 * Chunks of a new file that other files of the store have already, as those of another version of a model. Costs reading 32 bytes for each MiB in the
 * store, and each chunk that is copied once.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { open } from 'node:fs/promises'
import { CHUNK_BYTES, chunkCount, chunkLength, LEAF_BYTES, leafAt } from '../../ml/chunk-tree.ts'
import { systemCode } from '../file-errors.ts'
import { readChunk } from './chunk-hash.ts'
import { hasChunk } from './chunk-map.ts'
import type { PartialFile } from './partial-file.ts'
import { ShardError } from './shard-error.ts'
import { readShardFolder, readSmall, shardPaths } from './shard-folder.ts'

/** Chunks that are missing, by their leaf; of those that are equal, each. */
type Wanted = Map<string, number[]>

/** Copies what whole files have. Each chunk is compared, so that a damaged file gives nothing. */
export async function copyKnownChunks(partial: PartialFile, folder: string, signal: AbortSignal): Promise<void> {
  const wanted = wantedOf(partial)
  for (const [root, kinds] of await readShardFolder(folder)) {
    if (wanted.size === 0) return
    signal.throwIfAborted()
    if (!kinds.has('whole') || !kinds.has('leaves')) continue
    const { leaves, whole } = shardPaths(folder, root)
    const known = placesOf(wanted, (await readSmall(leaves)) ?? new Uint8Array(0))
    if (known.size > 0) await copy(partial, { whole, known, wanted }, signal)
  }
}

function wantedOf({ file, leaves, map }: PartialFile): Wanted {
  const wanted: Wanted = new Map()
  for (let index = 0; index < chunkCount(file.bytes); index++) {
    if (hasChunk(map, index)) continue
    const key = keyOf(leaves, index)
    wanted.set(key, [...(wanted.get(key) ?? []), index])
  }
  return wanted
}

/** Where in the other file the wanted leaves stand. */
function placesOf(wanted: Wanted, leaves: Uint8Array): Map<string, number> {
  const places = new Map<string, number>()
  for (let index = 0; index < Math.floor(leaves.length / LEAF_BYTES); index++) {
    const key = keyOf(leaves, index)
    if (wanted.has(key)) places.set(key, index)
  }
  return places
}

async function copy(
  partial: PartialFile,
  { whole, known, wanted }: { readonly whole: string; readonly known: Map<string, number>; readonly wanted: Wanted },
  signal: AbortSignal,
): Promise<void> {
  const source = await open(whole, 'r').catch((error: unknown) => {
    // It went, or may not be read: the chunks come from elsewhere.
    if (systemCode(error) === undefined) throw error
  })
  if (source === undefined) return
  try {
    const buffer = new Uint8Array(CHUNK_BYTES)
    for (const [key, place] of known) {
      signal.throwIfAborted()
      const bytes = await readChunk(source, buffer, place)
      if (await give(partial, wanted.get(key) ?? [], buffer.subarray(0, bytes))) wanted.delete(key)
    }
  } finally {
    await source.close()
  }
}

async function give(partial: PartialFile, indexes: readonly number[], chunk: Uint8Array): Promise<boolean> {
  for (const index of indexes) {
    if (chunk.length !== chunkLength(partial.file.bytes, index)) return false
    try {
      await partial.write(index, chunk)
    } catch (error) {
      if (error instanceof ShardError && error.code === 'SHARD_BAD_CHUNK') return false
      throw error
    }
  }
  return true
}

function keyOf(leaves: Uint8Array, index: number): string {
  return Buffer.from(leafAt(leaves, index)).toString('latin1')
}
