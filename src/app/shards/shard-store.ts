/**
 * Files of models by their content: whole ones, which never change, and unfinished ones. A file gets its name when every chunk was compared with its
 * leaf, and not before. Knows no models and no peers.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { chmod, mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { areLeavesOf } from '../../ml/chunk-tree.ts'
import { isLocked, type Lock, tryLock } from '../devnet/lock.ts'
import { syncFolder, writeFileAtomic } from '../home.ts'
import { createSerial } from '../store/serial.ts'
import { bytesIn } from './chunk-map.ts'
import type { FileId } from './chunk-source.ts'
import { copyKnownChunks } from './known-chunks.ts'
import { openPartialFile, type PartialFile, readNotes } from './partial-file.ts'
import { ShardError } from './shard-error.ts'
import { asShardWriteError, readLeaves, readShardFolder, shardPaths, shardsFolder } from './shard-folder.ts'
import { refuseNoRoom } from './shard-room.ts'

export interface ShardStoreOptions {
  /** The data folder. */
  readonly home: string
  /** Setting shardGib in bytes; 0 or left out: none. Two processes that begin files at one moment may go beyond it. */
  readonly quotaBytes?: number
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

export interface ShardStore {
  readonly folder: string
  /** Whether the whole file is there. */
  has(file: FileId): Promise<boolean>
  /** Where the whole file is, or would be. */
  pathOf(root: Hash): string
  /** All leaves of a file, compared with its root; undefined where they are not there, or damaged. */
  leaves(root: Hash): Promise<Uint8Array | undefined>
  /** Whether somebody has the unfinished file open, this store or another process. */
  isInUse(file: FileId): Promise<boolean>
  /** Bytes of an unfinished file that are noted as there, whoever has it open; 0 where there is none. */
  notedBytes(file: FileId): Promise<number>
  /** The unfinished file that this store has open. */
  partial(root: Hash): PartialFile | undefined
  /**
   * Begins a file or goes on with it: what was there is hashed again, and chunks that other whole files have are copied. undefined: the whole file
   * is there. Throws SHARD_BAD_LEAVES, SHARD_QUOTA, SHARD_NO_SPACE, SHARD_UNWRITABLE; SHARD_IN_USE while somebody else has it open.
   */
  begin(file: FileId, leaves: Uint8Array, signal: AbortSignal): Promise<PartialFile | undefined>
  /** Moves a synced file, whose leaves these are, into the store. False where that cannot be done by renaming: then it stays where it is. */
  adopt(path: string, file: FileId, leaves: Uint8Array): Promise<boolean>
}

/** Does no work: the folder is made when something is written. */
export function openShardStore(options: ShardStoreOptions): ShardStore {
  const folder = shardsFolder(options.home)
  const open = new Map<Hash, PartialFile>()
  const serial = createSerial()

  const has = async ({ root, bytes }: FileId): Promise<boolean> => {
    const found = await stat(shardPaths(folder, root).whole).catch(() => undefined)
    return found?.isFile() === true && found.size === bytes
  }

  const keepLeaves = async (root: Hash, leaves: Uint8Array): Promise<void> => {
    if ((await readLeaves(folder, root)) !== undefined) return
    await writeFileAtomic(shardPaths(folder, root).leaves, leaves)
  }

  const beginLocked = async (
    file: FileId,
    { leaves, lock }: { readonly leaves: Uint8Array; readonly lock: Lock },
    signal: AbortSignal,
  ): Promise<PartialFile> => {
    const paths = shardPaths(folder, file.root)
    try {
      const { quotaBytes = 0, freeBytes } = options
      await refuseNoRoom(file, { folder, found: await readShardFolder(folder), quotaBytes, freeBytes })
      await keepLeaves(file.root, leaves)
    } catch (error) {
      await lock.release()
      throw asShardWriteError(error, paths.leaves)
    }
    const onClose = (): void => void open.delete(file.root)
    const partial = await openPartialFile({ file, leaves, paths, lock, onClose }, signal)
    open.set(file.root, partial)
    return partial
  }

  const begin = async (file: FileId, leaves: Uint8Array, signal: AbortSignal): Promise<PartialFile | undefined> => {
    if (!areLeavesOf(file, leaves)) throw badLeaves(file)
    if (await has(file)) return undefined
    const lock = await lockFile(folder, file.root)
    if (await has(file)) {
      await lock.release()
      return undefined
    }
    return beginLocked(file, { leaves, lock }, signal)
  }

  return {
    folder,
    has,
    pathOf: (root) => shardPaths(folder, root).whole,
    leaves: (root) => readLeaves(folder, root),
    isInUse: ({ root }) => isLocked(shardPaths(folder, root).lock, HOLDER),
    notedBytes: async (file) => bytesIn(file, await readNotes(shardPaths(folder, file.root).have, file.bytes)),
    partial: (root) => open.get(root),
    async begin(file, leaves, signal) {
      // One after the other, so that each sees the room that the one before has taken.
      const partial = await serial(() => begin(file, leaves, signal))
      if (partial !== undefined) await copyKnownChunks(partial, folder, signal).catch(closing(partial))
      return partial
    },
    async adopt(path, file, leaves) {
      assert(areLeavesOf(file, leaves), 'leaves of the file')
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await keepLeaves(file.root, leaves)
        await chmod(path, 0o600)
        return await moveInto(path, shardPaths(folder, file.root).whole)
      } catch (error) {
        throw asShardWriteError(error, folder)
      }
    },
  }
}

/** Replaces a file of that name: it has the same bytes, if it is not damaged. */
async function moveInto(path: string, whole: string): Promise<boolean> {
  try {
    await rename(path, whole)
  } catch (error) {
    // The folders are on two disks.
    if (error instanceof Error && 'code' in error && error.code === 'EXDEV') return false
    throw error
  }
  await syncFolder(dirname(whole))
  return true
}

/** A part of the command line of whoever holds a lock: Node's own name. After a loss of power its pid may be anybody's. */
const HOLDER = 'node'

/** Nobody else touches the unfinished file of this root. Throws SHARD_IN_USE. */
async function lockFile(folder: string, root: Hash): Promise<Lock> {
  const path = shardPaths(folder, root).lock
  const lock = await tryLock(path, HOLDER).catch((error: unknown) => {
    throw asShardWriteError(error, path)
  })
  if ('release' in lock) return lock
  const message = `Another dllm (process ${lock.holder}) is fetching ${root}. Wait for it, or end it.`
  throw new ShardError('SHARD_IN_USE', message, { details: { root, holder: lock.holder } })
}

/** As `lockFile`, but undefined while somebody else has it. */
export async function lockUnlessUsed(folder: string, root: Hash): Promise<Lock | undefined> {
  try {
    return await lockFile(folder, root)
  } catch (error) {
    if (error instanceof ShardError && error.code === 'SHARD_IN_USE') return undefined
    throw error
  }
}

function closing(partial: PartialFile): (error: unknown) => Promise<never> {
  return async (error) => {
    await partial.close()
    throw error
  }
}

function badLeaves({ root }: FileId): ShardError {
  const message = `What was said of the chunks of ${root} does not lead to this name. It was thrown away.`
  return new ShardError('SHARD_BAD_LEAVES', message, { details: { root } })
}
