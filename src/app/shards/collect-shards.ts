/**
 * Takes back the room of what no model needs: mark and sweep over the manifests that are here. Whole files are hidden first, and come back if a manifest
 * names them by then, so that nothing goes that an import or a download has just counted on. What a process is writing stays.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { rename, rm } from 'node:fs/promises'
import type { Hash } from '../../base/brand.ts'
import { systemCode } from '../file-errors.ts'
import { syncFolder } from '../home.ts'
import { type NamedRoots, readNamedRoots } from './model-references.ts'
import { ShardError } from './shard-error.ts'
import {
  asShardWriteError,
  readShardFolder,
  type ShardFileKind,
  type ShardFolderFile,
  shardPaths,
  shardsFolder,
} from './shard-folder.ts'
import { lockUnlessUsed } from './shard-store.ts'

export interface CollectedFile {
  readonly root: Hash
  /** What it took on the disk. */
  readonly bytes: number
  /** No manifest names it; it is unfinished, and whole as well. */
  readonly why: 'unused' | 'finished elsewhere'
}

export interface CollectOptions {
  /** The data folder. */
  readonly home: string
  /** Only says what would go. */
  readonly isDryRun?: boolean
  /** Stay, whatever the manifests say. */
  readonly keep?: ReadonlySet<Hash>
}

type Kinds = ReadonlyMap<ShardFileKind, ShardFolderFile>

/**
 * Removes what no manifest names, and says what that was.
 * @throws ShardError SHARD_GC_UNSURE where a manifest cannot be read: what it names is not known. SHARD_UNWRITABLE.
 */
export async function collectShards(options: CollectOptions): Promise<CollectedFile[]> {
  const { home, isDryRun = false, keep = new Set<Hash>() } = options
  const folder = shardsFolder(home)
  const look = (): IsNeeded => {
    const { roots } = knownRoots(home)
    return (root) => roots.has(root) || keep.has(root)
  }
  const isNamed = look()
  const collected: CollectedFile[] = []
  const unused: CollectedFile[] = []
  try {
    if (!isDryRun) await bringBackHidden(folder)
    for (const [root, kinds] of await readShardFolder(folder)) {
      const part = await collectPart(folder, { root, kinds, isNamed: isNamed(root), isDryRun })
      if (part !== undefined) collected.push(part)
      const whole = kinds.get('whole')
      if (whole !== undefined && !isNamed(root)) unused.push({ root, bytes: whole.allocatedBytes, why: 'unused' })
    }
    return [...collected, ...(isDryRun ? unused : await removeUnused(folder, unused, look))]
  } catch (error) {
    if (!isDryRun) await bringBackHidden(folder).catch(() => undefined)
    throw asShardWriteError(error, folder)
  }
}

type IsNeeded = (root: Hash) => boolean

/** Whoever looks for a file while it is hidden has written its manifest before, so that `look` sees it. Returns what went. */
async function removeUnused(
  folder: string,
  unused: readonly CollectedFile[],
  look: () => IsNeeded,
): Promise<CollectedFile[]> {
  for (const { root } of unused) await renameIfThere(shardPaths(folder, root).whole, shardPaths(folder, root).gone)
  const isNeeded = look()
  const removed: CollectedFile[] = []
  for (const file of unused) {
    const { gone, whole } = shardPaths(folder, file.root)
    if (isNeeded(file.root)) {
      await renameIfThere(gone, whole)
      continue
    }
    await rm(gone, { force: true })
    removed.push(file)
  }
  if (removed.length > 0) await syncFolder(folder)
  await removeTraces(folder, isNeeded)
  return removed
}

function knownRoots(home: string): NamedRoots {
  const named = readNamedRoots(home)
  const [first] = named.unreadable
  if (first === undefined) return named
  const message = `The manifest of ${first} cannot be read, so that nobody knows which shards it needs. Import or pull it again, or remove it with \`dllm model remove ${first}\`; then run this again.`
  throw new ShardError('SHARD_GC_UNSURE', message, { details: { model: first } })
}

/** What a collection that was killed had hidden. */
async function bringBackHidden(folder: string): Promise<void> {
  for (const [root, kinds] of await readShardFolder(folder)) {
    const { gone, whole } = shardPaths(folder, root)
    if (kinds.has('gone')) await (kinds.has('whole') ? rm(gone, { force: true }) : renameIfThere(gone, whole))
  }
}

interface PartLook {
  readonly root: Hash
  readonly kinds: Kinds
  readonly isNamed: boolean
  readonly isDryRun: boolean
}

async function collectPart(folder: string, look: PartLook): Promise<CollectedFile | undefined> {
  const { root, kinds, isNamed, isDryRun } = look
  const part = kinds.get('part')
  if (part === undefined) return undefined
  // A machine that was off for a week goes on where it was.
  if (isNamed && !kinds.has('whole')) return undefined
  const why = kinds.has('whole') ? 'finished elsewhere' : 'unused'
  const lock = await lockUnlessUsed(folder, root)
  if (lock === undefined) return undefined
  try {
    const paths = shardPaths(folder, root)
    if (!isDryRun) await Promise.all([paths.part, paths.have].map((path) => rm(path, { force: true })))
    return { root, bytes: part.allocatedBytes, why }
  } finally {
    await lock.release()
  }
}

/** Leaves and notes of nothing, and locks of processes that are gone. */
async function removeTraces(folder: string, isNeeded: IsNeeded): Promise<void> {
  for (const [root, kinds] of await readShardFolder(folder)) {
    if (kinds.has('part') || (kinds.has('whole') && !kinds.has('lock') && !kinds.has('have'))) continue
    const lock = await lockUnlessUsed(folder, root)
    if (lock === undefined) continue
    const { leaves, have } = shardPaths(folder, root)
    await rm(have, { force: true })
    // Those of files in folders of models are kept here as well.
    if (!kinds.has('whole') && !isNeeded(root)) await rm(leaves, { force: true })
    await lock.release()
  }
}

/** Another collection may have been faster. */
async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
}
