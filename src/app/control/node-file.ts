/**
 * `node.json`: where the node of a folder listens. Written when it does, removed when it stops; after a crash it stays,
 * and its pid tells. Spec: docs/spec/control.md §7.
 * @module
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Milliseconds, milliseconds } from '../../base/brand.ts'
import { CONTROL_LIMITS } from '../../base/chain-limits.ts'
import { writeFileAtomic } from '../home.ts'
import { NodeFolderError } from './control-errors.ts'
import { parseJson } from './json-text.ts'

export interface NodeFile {
  readonly pid: number
  /** On 127.0.0.1. */
  readonly port: number
  /** Id of the network that the node belongs to. */
  readonly network: string
  /** Unix time. */
  readonly startedMs: Milliseconds
}

const NODE_FILE = 'node.json'
/** Changes when an older client could no longer talk to the node. */
const NODE_FILE_VERSION = 1
const DEPTH_MAX = 2

export async function writeNodeFile(folder: string, file: NodeFile): Promise<void> {
  const { pid, port, network, startedMs } = file
  const text = JSON.stringify({ version: NODE_FILE_VERSION, pid, port, network, startedMs })
  await writeFileAtomic(join(folder, NODE_FILE), `${text}\n`)
}

/**
 * The node file of a folder, undefined when there is none.
 * @throws NodeFolderError NODE_FILE_BAD when it cannot be read or is not one of this version.
 */
export async function readNodeFile(folder: string): Promise<NodeFile | undefined> {
  const path = join(folder, NODE_FILE)
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw badFile(path, 'cannot be read')
  })
  if (bytes === undefined) return undefined
  const parsed = bytes.length <= CONTROL_LIMITS.nodeFileBytesMax ? parseJson(bytes, DEPTH_MAX) : undefined
  const file = parsed?.type === 'value' ? parseNodeFile(parsed.value) : undefined
  if (file === undefined) throw badFile(path, 'is damaged, or from another version of dllm')
  return file
}

/** Removes the file if it is still this node's. */
export async function removeNodeFile(folder: string, own: NodeFile): Promise<void> {
  const found = await readNodeFile(folder).catch(() => undefined)
  if (found?.pid === own.pid && found.port === own.port) await rm(join(folder, NODE_FILE), { force: true })
}

function parseNodeFile(value: unknown): NodeFile | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { version, pid, port, network, startedMs } = value as Record<string, unknown>
  const isSound =
    version === NODE_FILE_VERSION &&
    isWhole(pid, 1, 2 ** 31) &&
    isWhole(port, 1, 65_535) &&
    isWhole(startedMs, 0, Number.MAX_SAFE_INTEGER) &&
    typeof network === 'string'
  return isSound ? { pid, port, network, startedMs: milliseconds(startedMs) } : undefined
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

function badFile(path: string, problem: string): NodeFolderError {
  const message = `The file ${path} ${problem}. Stop the node if it runs, delete the file and start the node again.`
  return new NodeFolderError('NODE_FILE_BAD', message, { details: { path } })
}
