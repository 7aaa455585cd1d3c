/**
 * The folder of the store: what its files are called and which are there.
 * Spec: docs/spec/shards.md §2.
 * @module
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hash, hash } from '../../base/brand.ts'
import { MODEL_LIMITS } from '../../base/limits.ts'
import { LEAF_BYTES, rootOfLeaves } from '../../ml/chunk-tree.ts'
import { systemCode } from '../file-errors.ts'
import { HomeError } from '../home.ts'
import { ShardError } from './shard-error.ts'

/** Folder of the store in a data folder. */
export function shardsFolder(home: string): string {
  return join(home, 'shards')
}

export interface ShardPaths {
  /** Every chunk was compared; it never changes. */
  readonly whole: string
  readonly leaves: string
  /** An unfinished file, of its full length. */
  readonly part: string
  /** Which chunks are in it: u32, little-endian, one after the other. */
  readonly have: string
  readonly lock: string
  /** A whole file that is about to go. */
  readonly gone: string
}

/** Names of all that belongs to a root. A root is 64 hexadecimal digits, so that no name leaves the folder. */
export function shardPaths(folder: string, root: Hash): ShardPaths {
  const whole = join(folder, root)
  return {
    whole,
    leaves: `${whole}.leaves`,
    part: `${whole}.part`,
    have: `${whole}.have`,
    lock: `${whole}.lock`,
    gone: `${whole}.gone`,
  }
}

export type ShardFileKind = 'whole' | 'leaves' | 'part' | 'have' | 'lock' | 'gone'

/** A file of the folder. */
export interface ShardFolderFile {
  readonly bytes: number
  /** What it takes on the disk: an unfinished file takes what was written. */
  readonly allocatedBytes: number
}

/** What there is of each root. Other files of the folder are left out. */
export type ShardFolder = ReadonlyMap<Hash, ReadonlyMap<ShardFileKind, ShardFolderFile>>

const NAME = /^([0-9a-f]{64})(?:\.(leaves|part|have|lock|gone))?$/

/** Empty where the folder is not there yet. Files that vanish meanwhile are left out. */
export async function readShardFolder(folder: string): Promise<ShardFolder> {
  const found = new Map<Hash, Map<ShardFileKind, ShardFolderFile>>()
  for (const name of await namesIn(folder)) {
    const [, digits, kind = 'whole'] = NAME.exec(name) ?? []
    if (digits === undefined) continue
    const facts = await stat(join(folder, name)).catch(() => undefined)
    if (facts === undefined || !facts.isFile()) continue
    const { size: bytes, blocks = 0 } = facts
    const kinds = found.get(hash(digits)) ?? new Map<ShardFileKind, ShardFolderFile>()
    found.set(hash(digits), kinds)
    kinds.set(kind as ShardFileKind, { bytes, allocatedBytes: Math.min(bytes, blocks * 512) })
  }
  return found
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw asReadError(error, folder)
  }
}

/** All leaves of a root, compared with it; undefined where they are not there, or damaged. */
export async function readLeaves(folder: string, root: Hash): Promise<Uint8Array | undefined> {
  const leaves = await readSmall(shardPaths(folder, root).leaves)
  if (leaves === undefined || leaves.length % LEAF_BYTES !== 0) return undefined
  return rootOfLeaves(leaves) === root ? leaves : undefined
}

/** A file of the size of leaves or of less; undefined where it is not there or larger. Throws SHARD_UNREADABLE. */
export async function readSmall(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path)
    return size > MODEL_LIMITS.fileChunksMax * LEAF_BYTES ? undefined : await readFile(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw asReadError(error, path)
  }
}

/** For failures of writing below `path`; other errors are returned as they are. */
export function asShardWriteError(error: unknown, path: string): unknown {
  // Small files are written by home.ts, which has its own words.
  const code = systemCode(error) ?? (error instanceof HomeError ? systemCode(error.cause) : undefined)
  if (code === undefined) return error
  const options = { cause: error, details: { path, system: code } }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const advice = 'Free some space (`dllm shard gc` removes what no model needs), and go on where it stopped.'
    return new ShardError('SHARD_NO_SPACE', `The disk of ${path} is full. ${advice}`, options)
  }
  return new ShardError('SHARD_UNWRITABLE', `Cannot write ${path}. Check that this user may write there.`, options)
}

function asReadError(error: unknown, path: string): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const options = { cause: error, details: { path, system: code } }
  return new ShardError('SHARD_UNREADABLE', `Cannot read ${path}. Check that this user may read it.`, options)
}
