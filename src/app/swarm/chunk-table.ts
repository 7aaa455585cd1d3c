/**
 * Which chunks a download still wants, and who has them: the rarest first, ties in an order that differs from download to download, so that those who
 * take from one peer soon have different chunks for each other. Pure; knows nothing of rates or requests that are under way.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { PeerId } from '../../base/brand.ts'
import { philox4x32 } from '../../base/prng.ts'
import { chunkCount, chunkLength } from '../../ml/chunk-tree.ts'
import { hasChunk } from '../shards/chunk-map.ts'
import type { ChunkMap } from '../shards/chunk-source.ts'

/** A chunk among those of all wanted files: `file` is the number that `addFile` gave. */
export interface ChunkPlace {
  readonly file: number
  readonly index: number
  readonly bytes: number
}

/** Chunks are numbered through all files. */
export interface ChunkTable {
  /** A further file, with what is here of it; gives its number. */
  addFile(bytes: number, have: ChunkMap): number
  /** What a peer has of a file now; undefined: nothing. */
  setHoldings(peer: PeerId, file: number, map: ChunkMap | undefined): void
  /** One chunk that a peer does not have, whatever it said. */
  deny(peer: PeerId, chunk: number): void
  dropPeer(peer: PeerId): void
  has(peer: PeerId, chunk: number): boolean
  placeOf(chunk: number): ChunkPlace
  chunkAt(file: number, index: number): number
  /** The chunk to ask this peer for; undefined: it has none that is open. */
  best(peer: PeerId): number | undefined
  /** The chunk is no longer open. */
  take(chunk: number): void
  /** It is open again. */
  putBack(chunk: number): void
  /** The chunk is here. */
  done(chunk: number): void
  isDone(chunk: number): boolean
  /** Chunks that are not here. */
  readonly leftChunks: number
  readonly leftBytes: number
  /** Of all files. */
  readonly totalBytes: number
  /** Chunks that are not here and that no peer has. */
  missingEverywhere(): number
}

type State = 'open' | 'taken' | 'done'

interface WantedFile {
  readonly bytes: number
  readonly firstChunk: number
  readonly chunks: number
}

interface PeerChunks {
  readonly maps: Map<number, Uint8Array>
  /** Where in the order this peer's search goes on, as long as the order is the one of `version`. */
  cursor: number
  version: number
}

export function createChunkTable(seed: bigint): ChunkTable {
  const files: WantedFile[] = []
  const fileOf: number[] = []
  const states: State[] = []
  const holders: number[] = []
  const peers = new Map<PeerId, PeerChunks>()
  const sums = { leftChunks: 0, leftBytes: 0, totalBytes: 0 }
  let shuffle: readonly number[] = []
  let order: readonly number[] = []
  let isOrderOld = true
  let version = 0

  const placeOf = (chunk: number): ChunkPlace => {
    const file = fileOf[chunk]!
    const { bytes, firstChunk } = files[file]!
    return { file, index: chunk - firstChunk, bytes: chunkLength(bytes, chunk - firstChunk) }
  }
  const has = (peer: PeerId, chunk: number): boolean => {
    const file = fileOf[chunk]!
    const map = peers.get(peer)?.maps.get(file)
    return map !== undefined && hasChunk(map, chunk - files[file]!.firstChunk)
  }
  /** Counts what a map says; `by` is 1 or −1. */
  const count = (file: number, map: Uint8Array, by: number): void => {
    const { firstChunk, chunks } = files[file]!
    for (let index = 0; index < chunks; index++) if (hasChunk(map, index)) holders[firstChunk + index]! += by
    isOrderOld = true
  }
  const setHoldings = (peer: PeerId, file: number, map: ChunkMap | undefined): void => {
    const known = peers.get(peer) ?? { maps: new Map(), cursor: 0, version: -1 }
    peers.set(peer, known)
    const before = known.maps.get(file)
    if (before !== undefined) count(file, before, -1)
    known.maps.delete(file)
    if (map === undefined) return
    const own = Uint8Array.from(map)
    known.maps.set(file, own)
    count(file, own, 1)
  }
  const renewOrder = (): void => {
    if (shuffle.length !== states.length) shuffle = shuffled(states.length, seed)
    order = rarestFirst(shuffle, states, holders)
    isOrderOld = false
    version++
  }

  return {
    ...{ has, placeOf, setHoldings },
    get leftChunks() {
      return sums.leftChunks
    },
    get leftBytes() {
      return sums.leftBytes
    },
    get totalBytes() {
      return sums.totalBytes
    },
    addFile: (bytes, have) => {
      const file = files.push({ bytes, firstChunk: states.length, chunks: chunkCount(bytes) }) - 1
      for (let index = 0; index < chunkCount(bytes); index++) {
        const isHere = hasChunk(have, index)
        fileOf.push(file)
        holders.push(0)
        states.push(isHere ? 'done' : 'open')
        if (isHere) continue
        sums.leftChunks++
        sums.leftBytes += chunkLength(bytes, index)
      }
      sums.totalBytes += bytes
      isOrderOld = true
      return file
    },
    deny: (peer, chunk) => {
      const { file, index } = placeOf(chunk)
      if (!has(peer, chunk)) return
      peers.get(peer)!.maps.get(file)![index >> 3]! &= ~(1 << (index & 7))
      holders[chunk]!--
      isOrderOld = true
    },
    dropPeer: (peer) => {
      for (const file of peers.get(peer)?.maps.keys() ?? []) setHoldings(peer, file, undefined)
      peers.delete(peer)
    },
    chunkAt: (file, index) => files[file]!.firstChunk + index,
    best: (peer) => {
      const known = peers.get(peer)
      if (known === undefined) return undefined
      if (isOrderOld) renewOrder()
      if (known.version !== version) Object.assign(known, { version, cursor: 0 })
      for (; known.cursor < order.length; known.cursor++) {
        const chunk = order[known.cursor]!
        if (states[chunk] === 'open' && has(peer, chunk)) return chunk
      }
      return undefined
    },
    take: (chunk) => {
      assert(states[chunk] === 'open', 'a chunk is taken once')
      states[chunk] = 'taken'
    },
    putBack: (chunk) => {
      assert(states[chunk] === 'taken', 'only what was taken is put back')
      states[chunk] = 'open'
      // It may stand in front of where searches have got to.
      version++
    },
    done: (chunk) => {
      assert(states[chunk] !== 'done', 'a chunk arrives once')
      states[chunk] = 'done'
      sums.leftChunks--
      sums.leftBytes -= placeOf(chunk).bytes
    },
    isDone: (chunk) => states[chunk] === 'done',
    missingEverywhere: () => states.filter((state, chunk) => state !== 'done' && holders[chunk] === 0).length,
  }
}

/** All chunks that are not here, by how many peers have them; within one number in the order of `shuffle`. */
function rarestFirst(shuffle: readonly number[], states: readonly State[], holders: readonly number[]): number[] {
  const buckets: number[][] = []
  for (const chunk of shuffle) {
    if (states[chunk] === 'done') continue
    const count = holders[chunk]!
    buckets[count] ??= []
    buckets[count].push(chunk)
  }
  // What nobody has cannot be asked for.
  return buckets.slice(1).flatMap((bucket) => bucket ?? [])
}

/** 0 … length − 1 in an order that follows from the seed. */
function shuffled(length: number, seed: bigint): number[] {
  const key = [Number(seed & 0xffff_ffffn), Number((seed >> 32n) & 0xffff_ffffn)] as const
  const numbers = Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = philox4x32([last, 0, 0, 0], key)[0] % (last + 1)
    ;[numbers[last], numbers[other]] = [numbers[other]!, numbers[last]!]
  }
  return numbers
}
