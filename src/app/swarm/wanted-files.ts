/**
 * The files of a download: which are whole, which have begun, and which wait for their list of leaves; from that to the schedule, and to a whole file at the end.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { areLeavesOf, chunkCount, chunkLength, leafAt } from '../../ml/chunk-tree.ts'
import { hasChunk } from '../shards/chunk-map.ts'
import type { ChunkMap, ChunkTarget, FileId } from '../shards/chunk-source.ts'
import type { PartialFile } from '../shards/partial-file.ts'
import type { ShardStore } from '../shards/shard-store.ts'

/** What a download needs of the store. */
export type PullStore = Pick<ShardStore, 'has' | 'leaves' | 'begin'>

export interface WantedFile {
  readonly id: FileId
  /** `waiting`: for its leaves. */
  readonly state: 'waiting' | 'beginning' | 'begun' | 'finishing' | 'whole'
  readonly partial: PartialFile | undefined
  /** Chunks that are here. */
  readonly hereBytes: number
}

export interface WantedFiles {
  readonly all: readonly WantedFile[]
  readonly totalBytes: number
  /** Of files that are not in the schedule yet: what is still to come. */
  readonly unscheduledBytes: number
  /** What was here when it was looked at first. */
  readonly keptBytes: number
  readonly areWhole: boolean
  /** The disk is at work: what was there is hashed, or a file becomes whole. */
  readonly areBusy: boolean
  /** Begins those whose leaves are here, or need not be asked for. */
  open(): Promise<void>
  /** Leaves that somebody told. False: they are not those of the file. */
  takeLeaves(file: WantedFile, leaves: Uint8Array): boolean
  targetOf(file: WantedFile, index: number): ChunkTarget
  /** A chunk was stored. */
  note(file: WantedFile, index: number): void
  /** Leaves what is not whole for another time. */
  close(): Promise<void>
}

export interface WantedFilesOptions {
  /** Each root once. */
  readonly files: readonly FileId[]
  readonly store: PullStore
  readonly signal: AbortSignal
  /** The file can be filled: these chunks are here. */
  readonly onBegun: (file: WantedFile, have: ChunkMap) => void
  readonly onWhole: (file: WantedFile) => void
  /** The disk, mostly. */
  readonly onFailure: (error: unknown) => void
}

type Entry = { -readonly [Field in keyof WantedFile]: WantedFile[Field] } & { keptBytes: number }

export function createWantedFiles(options: WantedFilesOptions): WantedFiles {
  const { files, store, signal, onBegun, onWhole, onFailure } = options
  const entries = files.map((id): Entry => ({ id, state: 'waiting', partial: undefined, hereBytes: 0, keptBytes: 0 }))
  const work = new Set<Promise<void>>()
  let isClosed = false
  const begin = (entry: Entry, leaves: Uint8Array): void => {
    entry.state = 'beginning'
    run(async () => {
      const partial = await store.begin(entry.id, leaves, signal)
      if (partial !== undefined && isClosed) return partial.close()
      entry.partial = partial
      entry.hereBytes = partial === undefined ? entry.id.bytes : bytesIn(entry.id, partial.map)
      entry.keptBytes = entry.hereBytes
      entry.state = 'begun'
      if (partial !== undefined) onBegun(entry, partial.map)
      if (entry.hereBytes === entry.id.bytes) await finish(entry)
    })
  }
  const finish = async (entry: Entry): Promise<void> => {
    entry.state = 'finishing'
    await entry.partial?.finish()
    entry.partial = undefined
    entry.state = 'whole'
    onWhole(entry)
  }
  const run = (task: () => Promise<void>): void => {
    const running = task()
      .catch(onFailure)
      .finally(() => work.delete(running))
    work.add(running)
  }
  const entryOf = (file: WantedFile): Entry => entries.find((entry) => entry === file)!

  return {
    all: entries,
    totalBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    get unscheduledBytes() {
      const unscheduled = entries.filter(({ state }) => state === 'waiting' || state === 'beginning')
      return unscheduled.reduce((sum, { id }) => sum + id.bytes, 0)
    },
    get keptBytes() {
      return entries.reduce((sum, { keptBytes }) => sum + keptBytes, 0)
    },
    get areWhole() {
      return entries.every(({ state }) => state === 'whole')
    },
    get areBusy() {
      return entries.some(({ state }) => state === 'beginning' || state === 'finishing')
    },
    open: async () => {
      for (const entry of entries) {
        signal.throwIfAborted()
        if (await store.has(entry.id)) {
          Object.assign(entry, { state: 'whole', hereBytes: entry.id.bytes, keptBytes: entry.id.bytes })
          continue
        }
        const leaves = leavesByName(entry.id) ?? (await store.leaves(entry.id.root))
        if (leaves !== undefined && areLeavesOf(entry.id, leaves)) begin(entry, leaves)
      }
    },
    takeLeaves: (file, leaves) => {
      const entry = entryOf(file)
      if (!areLeavesOf(file.id, leaves)) return false
      if (entry.state === 'waiting') begin(entry, leaves)
      return true
    },
    targetOf: ({ partial }, index) => ({ path: partial!.path, leaf: leafAt(partial!.leaves, index) }),
    note: (file, index) => {
      const entry = entryOf(file)
      entry.partial!.note(index)
      entry.hereBytes += chunkLength(entry.id.bytes, index)
      if (entry.hereBytes === entry.id.bytes) run(() => finish(entry))
    },
    close: async () => {
      isClosed = true
      while (work.size > 0) await Promise.all(work)
      await Promise.all(entries.map(({ partial }) => partial?.close()))
    },
  }
}

/** The name of a file of one chunk is its leaf. */
function leavesByName({ root, bytes }: FileId): Uint8Array | undefined {
  if (bytes === 0) return new Uint8Array(0)
  return chunkCount(bytes) === 1 ? hexToBytes(root) : undefined
}

function bytesIn({ bytes }: FileId, map: ChunkMap): number {
  let sum = 0
  for (let index = 0; index < chunkCount(bytes); index++) if (hasChunk(map, index)) sum += chunkLength(bytes, index)
  return sum
}
