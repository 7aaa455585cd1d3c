/**
 * Rehashes every file of a stored model and says which of them are not what the manifest says.
 * @module
 */
import { open } from 'node:fs/promises'
import { rootOfLeaves } from '../ml/chunk-tree.ts'
import type { FileEntry } from '../ml/manifest.ts'
import { systemCode } from './file-errors.ts'
import type { StoredModel } from './model-store.ts'
import { leavesOfFile } from './shards/chunk-hash.ts'
import { filesOf, type ModelPlace, pathOfFile } from './shards/model-files.ts'

export interface VerifiedFile {
  readonly name: string
  readonly bytes: number
  readonly status: 'ok' | 'missing' | 'unreadable' | 'wrong size' | 'wrong content'
}

/** One entry per file of the manifest; `onFile` is called as each is done. */
export async function verifyModel(
  model: Pick<StoredModel, 'manifest'> & ModelPlace,
  onFile: (file: VerifiedFile) => void,
  signal: AbortSignal,
): Promise<VerifiedFile[]> {
  const verified: VerifiedFile[] = []
  for (const entry of filesOf(model.manifest)) {
    const file = {
      name: entry.name,
      bytes: entry.bytes,
      status: await statusOf(pathOfFile(model, entry), entry, signal),
    }
    onFile(file)
    verified.push(file)
  }
  return verified
}

async function statusOf(path: string, entry: FileEntry, signal: AbortSignal): Promise<VerifiedFile['status']> {
  try {
    const file = await open(path, 'r')
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
