/**
 * Rehashes every file of a stored model and says which of them are not what the manifest says.
 * @module
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { rootOfLeaves } from '../ml/chunk-tree.ts'
import type { FileEntry } from '../ml/manifest.ts'
import { systemCode } from './file-errors.ts'
import type { StoredModel } from './model-store.ts'
import { leavesOfFile } from './shards/chunk-hash.ts'

export interface VerifiedFile {
  readonly name: string
  readonly bytes: number
  readonly status: 'ok' | 'missing' | 'unreadable' | 'wrong size' | 'wrong content'
}

/** One entry per file of the manifest; `onFile` is called as each is done. */
export async function verifyModel(
  model: Pick<StoredModel, 'manifest' | 'directory'>,
  onFile: (file: VerifiedFile) => void,
  signal: AbortSignal,
): Promise<VerifiedFile[]> {
  const { manifest, directory } = model
  const shards = manifest.segments.map(({ shard }) => ({ name: shard.file, bytes: shard.bytes, root: shard.root }))
  const verified: VerifiedFile[] = []
  for (const entry of [...shards, ...manifest.files]) {
    const file = { name: entry.name, bytes: entry.bytes, status: await statusOf(directory, entry, signal) }
    onFile(file)
    verified.push(file)
  }
  return verified
}

async function statusOf(directory: string, entry: FileEntry, signal: AbortSignal): Promise<VerifiedFile['status']> {
  try {
    const file = await open(join(directory, entry.name), 'r')
    try {
      if ((await file.stat()).size !== entry.bytes) return 'wrong size'
      return rootOfLeaves(await leavesOfFile(file, signal)) === entry.root ? 'ok' : 'wrong content'
    } finally {
      await file.close()
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return systemCode(error) === 'ENOENT' ? 'missing' : 'unreadable'
  }
}
