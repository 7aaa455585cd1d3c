/**
 * The files of a download: which are whole, which have begun, and which wait for their list of leaves; from that to the schedule, and to a whole file at the end.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { codeOf } from '../../base/error.ts'
import { areLeavesOf, chunkCount, chunkLength, leafAt } from '../../ml/chunk-tree.ts'
import { bytesIn } from '../shards/chunk-map.ts'
import type { ChunkMap, ChunkTarget, FileId } from '../shards/chunk-source.ts'
import type { PartialFile } from '../shards/partial-file.ts'
import type { ShardStore } from '../shards/shard-store.ts'

/** What a download needs of the store. */
export type PullStore = Pick<ShardStore, 'has' | 'leaves' | 'begin' | 'notedBytes' | 'isInUse'>

export interface WantedFile {
  readonly id: FileId
  /** `waiting`: for its leaves. `held`: another download of this machine fetches it. */
  readonly state: 'waiting' | 'beginning' | 'held' | 'begun' | 'finishing' | 'whole'
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
  /** Files that other downloads of this machine fetch. */
  readonly heldCount: number
  /** What keeps all that is missing from being begun, where others fetch all of it. */
  readonly hindrance: unknown
  /** Begins those whose leaves are here, or need not be asked for; others of this machine may have brought them. */
  open(): Promise<void>
  /** Goes on with files that nobody else has open any more. True: others have brought more of those that they have. */
  lookAtHeld(): Promise<boolean>
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

const UNSCHEDULED: readonly WantedFile['state'][] = ['waiting', 'beginning', 'held']

type Entry = { -readonly [Field in keyof WantedFile]: WantedFile[Field] } & {
  keptBytes: number
  /** Of one that is held: what it takes to begin it, and why that was refused. */
  leaves?: Uint8Array
  refusal?: unknown
}

export function createWantedFiles(options: WantedFilesOptions): WantedFiles {
  const { files, store, signal, onBegun, onWhole, onFailure } = options
  const entries = files.map((id): Entry => ({ id, state: 'waiting', partial: undefined, hereBytes: 0, keptBytes: 0 }))
  const work = new Set<Promise<void>>()
  let isClosed = false
  const held = (): Entry[] => entries.filter(({ state }) => state === 'held')
  const begin = (entry: Entry, leaves: Uint8Array): void => {
    entry.state = 'beginning'
    run(async () => {
      const partial = await beginUnlessHeld(entry, leaves)
      if (entry.state === 'held') return
      if (partial !== undefined && isClosed) return partial.close()
      entry.partial = partial
      entry.hereBytes = partial === undefined ? entry.id.bytes : bytesIn(entry.id, partial.map)
      entry.keptBytes = entry.hereBytes
      entry.state = 'begun'
      if (partial !== undefined) onBegun(entry, partial.map)
      if (entry.hereBytes === entry.id.bytes) await finish(entry)
    })
  }
  /** It waits until whoever has the file brings it, or leaves it. */
  const beginUnlessHeld = async (entry: Entry, leaves: Uint8Array): Promise<PartialFile | undefined> => {
    try {
      return await store.begin(entry.id, leaves, signal)
    } catch (error) {
      if (codeOf(error) !== 'SHARD_IN_USE') throw error
      Object.assign(entry, { state: 'held', leaves, refusal: error })
      return undefined
    }
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
      const unscheduled = entries.filter(({ state }) => UNSCHEDULED.includes(state))
      return unscheduled.reduce((sum, { id, hereBytes }) => sum + id.bytes - hereBytes, 0)
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
    get heldCount() {
      return held().length
    },
    get hindrance() {
      const missing = entries.filter(({ state }) => state !== 'whole')
      return missing.every(({ state }) => state === 'held') ? missing[0]?.refusal : undefined
    },
    lookAtHeld: async () => {
      let haveGrown = false
      for (const entry of held()) {
        const noted = await store.notedBytes(entry.id)
        haveGrown ||= noted > entry.hereBytes
        entry.hereBytes = noted
        if (!(await store.isInUse(entry.id))) begin(entry, entry.leaves!)
      }
      return haveGrown
    },
    open: async () => {
      for (const entry of entries.filter(({ state }) => state === 'waiting')) {
        signal.throwIfAborted()
        const { id } = entry
        if (await store.has(id)) {
          Object.assign(entry, { state: 'whole', hereBytes: id.bytes, keptBytes: id.bytes })
          onWhole(entry)
          continue
        }
        const leaves = leavesByName(id) ?? (await store.leaves(id.root))
        const isWaiting = entry.state === 'waiting' && leaves !== undefined
        if (isWaiting && areLeavesOf(id, leaves)) begin(entry, leaves)
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
