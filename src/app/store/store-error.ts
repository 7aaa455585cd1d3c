/**
 * What can go wrong with the files of a node, as one kind of error with a sentence for the operator. Turns the refusals
 * of the system, of LevelDB and of the data folder into it.
 * Spec: docs/spec/store.md §6.
 * @module
 */
import { HouseError } from '../../base/error.ts'

export type StoreErrorCode =
  /** Another process holds the store. */
  | 'STORE_LOCKED'
  /** Files are damaged or missing. */
  | 'STORE_CORRUPT'
  | 'STORE_DISK_FULL'
  /** Used after `close`, or closed while it worked. */
  | 'STORE_CLOSED'
  /** No right to read or write there, or not a folder. */
  | 'STORE_NOT_WRITABLE'
  /** The disk refused for another reason, such as EIO. */
  | 'STORE_FAILED'

export class StoreError extends HouseError<StoreErrorCode> {}

/** The advice per code; `path` is the file or folder. */
const SENTENCES: Readonly<Record<StoreErrorCode, (path: string) => string>> = {
  STORE_LOCKED: (path) =>
    `Another dllm process uses ${path}. Stop it first (the \`dllm node\` of this data folder, or \`dllm devnet down\`), or name another folder with --home.`,
  STORE_CORRUPT: (path) =>
    `The store ${path} is damaged. Start the node with --repair: it keeps the damaged files aside, saves what can be read and fetches the rest from other nodes.`,
  STORE_DISK_FULL: (path) => `The disk is full: ${path} was not written. Free some space and start again.`,
  STORE_CLOSED: (path) => `The store ${path} is closed. Start the node again to use it.`,
  STORE_NOT_WRITABLE: (path) =>
    `Cannot read and write ${path}. Give this user the right to, or name another folder with --home.`,
  STORE_FAILED: (path) =>
    `The disk refused to read or write ${path}. Look at the disk and the system's log, then start again.`,
}

/** The error of a code at a path, with its sentence. */
export function storeError(code: StoreErrorCode, path: string, cause?: unknown): StoreError {
  const reason = cause instanceof Error ? cause.message : undefined
  return new StoreError(code, SENTENCES[code](path), { details: { path, reason }, cause })
}

const NO_SPACE = /\bENOSPC\b|\bEDQUOT\b|No space left|quota exceeded/i
const NO_RIGHT = /\bEACCES\b|\bEPERM\b|\bEROFS\b|\bENOTDIR\b|\bEEXIST\b|Permission denied|Read-only|Not a directory/i
/** A file that the others name is not there, or LevelDB cannot make sense of one. */
const DAMAGED = /\bENOENT\b|No such file|Invalid argument|Corruption/i

/** A failure at `path` as StoreError; one that is a StoreError already stays as it is. */
export function asStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error
  const cause = rootCause(error)
  return storeError(codeFor(cause), path, cause)
}

/** LevelDB's bindings wrap a failed opening in an error that says only that the store is not open. */
function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? rootCause(error.cause) : error
}

function codeFor(error: unknown): StoreErrorCode {
  if (!(error instanceof Error)) return 'STORE_FAILED'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'LEVEL_LOCKED') return 'STORE_LOCKED'
  if (code === 'LEVEL_CORRUPTION') return 'STORE_CORRUPT'
  if (/^LEVEL_(?:DATABASE|ITERATOR)_NOT_OPEN$|^LEVEL_ABORTED$/.test(code)) return 'STORE_CLOSED'
  const text = `${code} ${error.message}`
  if (NO_SPACE.test(text)) return 'STORE_DISK_FULL'
  if (NO_RIGHT.test(text)) return 'STORE_NOT_WRITABLE'
  return DAMAGED.test(text) ? 'STORE_CORRUPT' : 'STORE_FAILED'
}
