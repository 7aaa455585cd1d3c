/**
 * Which chunks of a file somebody has, as bits.
 * Spec: docs/spec/shards.md §1.
 * @module
 */
import { chunkCount, chunkLength } from '../../ml/chunk-tree.ts'
import type { ChunkMap, FileId } from './chunk-source.ts'

/** No chunk of a file of `bytes`. */
export function emptyMap(bytes: number): ChunkMap {
  return new Uint8Array(Math.ceil(chunkCount(bytes) / 8))
}

/** Every chunk of a file of `bytes`. */
export function fullMap(bytes: number): ChunkMap {
  const map = emptyMap(bytes)
  for (let index = 0; index < chunkCount(bytes); index++) addChunk(map, index)
  return map
}

export function hasChunk(map: ChunkMap, index: number): boolean {
  return ((map[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

export function addChunk(map: ChunkMap, index: number): void {
  map[index >> 3]! |= 1 << (index & 7)
}

/** The chunks that are there, lowest first. */
export function chunksIn(map: ChunkMap): number[] {
  return Array.from({ length: map.length * 8 }, (_, index) => index).filter((index) => hasChunk(map, index))
}

/** Bytes of the chunks that are there. */
export function bytesIn({ bytes }: FileId, map: ChunkMap): number {
  return chunksIn(map).reduce((sum, index) => sum + chunkLength(bytes, index), 0)
}

/** Whether the map has a bit for each chunk of a file of `bytes`, and none beyond the last. */
export function isMapOf(bytes: number, map: ChunkMap): boolean {
  const unused = map.length * 8 - chunkCount(bytes)
  return unused >= 0 && unused < 8 && (unused === 0 || map.at(-1)! >> (8 - unused) === 0)
}
