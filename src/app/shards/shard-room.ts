/**
 * Whether the store may take another file: what the user lets it take, and what the disk has.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { freeBytesBelow } from '../disk-space.ts'
import { formatBytes } from '../table.ts'
import type { FileId } from './chunk-source.ts'
import { ShardError } from './shard-error.ts'
import { readShardFolder, type ShardFolder, type ShardFolderFile } from './shard-folder.ts'

/** Left free on the disk. */
const SPARE_BYTES = 16 * 1024 * 1024

export interface RoomOptions {
  readonly folder: string
  /** What is there. */
  readonly found: ShardFolder
  /** 0: as much as the disk has. */
  readonly quotaBytes: number
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
}

/** Throws SHARD_QUOTA or SHARD_NO_SPACE unless the file, of which a part may be there, has room. */
export async function refuseNoRoom(file: FileId, options: RoomOptions): Promise<void> {
  refuseQuota(file, options)
  const { folder, found, freeBytes = freeBytesBelow } = options
  // What unfinished files have still to take.
  const promised = [...found].reduce((sum, [root, kinds]) => sum + outstanding(kinds.get('part'), root, file), 0)
  const own = found.get(file.root)?.get('part')?.allocatedBytes ?? 0
  const needed = promised + file.bytes - Math.min(own, file.bytes) + SPARE_BYTES
  const free = await freeBytes(folder)
  if (free >= needed) return
  const advice = 'Free some space (`dllm shard gc` removes what no model needs), or take fewer segments.'
  throw new ShardError(
    'SHARD_NO_SPACE',
    `${formatBytes(needed)} are needed and the disk of ${folder} has ${formatBytes(free)} free. ${advice}`,
    { details: { root: file.root, neededBytes: needed, freeBytes: free } },
  )
}

/** Throws SHARD_QUOTA where a model of `bytes`, none of which is in the store, would go beyond the quota. */
export async function refuseModelOverQuota(
  { folder, quotaBytes }: { readonly folder: string; readonly quotaBytes: number },
  bytes: number,
): Promise<void> {
  if (quotaBytes === 0) return
  const used = usedBytes(await readShardFolder(folder))
  if (used + bytes > quotaBytes) throw overQuota({ quotaBytes, used, bytes })
}

function refuseQuota(file: FileId, { found, quotaBytes }: RoomOptions): void {
  if (quotaBytes === 0) return
  const details = { root: file.root, bytes: file.bytes, quotaBytes }
  if (file.bytes > quotaBytes) {
    const message = `The setting shardGib allows ${formatBytes(quotaBytes)}, and this shard alone has ${formatBytes(file.bytes)}. Raise it with \`dllm config set shardGib …\`, or take other segments.`
    throw new ShardError('SHARD_QUOTA', message, { details })
  }
  const used = usedBytes(found, file.root)
  if (used + file.bytes <= quotaBytes) return
  throw overQuota({ quotaBytes, used, bytes: file.bytes })
}

function overQuota({ quotaBytes, used, bytes }: Readonly<Record<'quotaBytes' | 'used' | 'bytes', number>>): ShardError {
  const message = `The setting shardGib allows ${formatBytes(quotaBytes)}; ${formatBytes(used)} are taken, and ${formatBytes(bytes)} are needed. \`dllm shard gc\` removes what no model needs; \`dllm config set shardGib …\` allows more.`
  return new ShardError('SHARD_QUOTA', message, { details: { quotaBytes, usedBytes: used, bytes } })
}

/** Bytes of whole and unfinished files, those at their full length, but for one root. */
export function usedBytes(found: ShardFolder, except?: Hash): number {
  let sum = 0
  for (const [root, kinds] of found) {
    if (root === except) continue
    sum += (kinds.get('whole')?.bytes ?? 0) + (kinds.get('part')?.bytes ?? 0)
  }
  return sum
}

function outstanding(part: ShardFolderFile | undefined, root: Hash, file: FileId): number {
  return part === undefined || root === file.root ? 0 : part.bytes - part.allocatedBytes
}
