/**
 * Whether a disk has room for what is about to be written.
 * @module
 */
import { statfs } from 'node:fs/promises'
import { ModelError } from '../ml/model-error.ts'

export interface SpaceNeed {
  readonly neededBytes: number
  /** Begins the sentence: what takes the room. */
  readonly what: string
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
}

/** Throws MODEL_NO_SPACE unless the disk of `folder`, which is there, has that much room. */
export async function refuseFullDisk(
  folder: string,
  { neededBytes, what, freeBytes = freeBytesBelow }: SpaceNeed,
): Promise<void> {
  const free = await freeBytes(folder)
  if (free >= neededBytes) return
  throw new ModelError(
    'MODEL_NO_SPACE',
    `${what} takes ${megabytes(neededBytes)} MB and ${folder} has ${megabytes(free)} MB free. Free some space, or choose --format q4.`,
    { details: { neededBytes, freeBytes: free } },
  )
}

/** What the file system of `folder` has left for this user. */
export async function freeBytesBelow(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6)
}
