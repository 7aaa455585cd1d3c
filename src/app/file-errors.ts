/**
 * The system's refusals while a model is read or written, as ModelErrors that say what to do.
 * @module
 */
import { ModelError } from '../ml/model-error.ts'

/** Code of a failed system call, such as ENOENT; undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined
}

/** For failures of reading `path`; other errors are returned as they are. */
export function asReadError(error: unknown, path: string): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const advice = code === 'ENOENT' ? 'It is not there; check the path' : 'Check that this user may read it'
  const options = { cause: error, details: { path, system: code } }
  return new ModelError('MODEL_UNREADABLE', `Cannot read ${path}. ${advice}.`, options)
}

/** For failures of writing below `path`; other errors are returned as they are. */
export function asWriteError(error: unknown, path: string): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const options = { cause: error, details: { path, system: code } }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ModelError('MODEL_NO_SPACE', `The disk of ${path} is full. Free some space and import again.`, options)
  }
  return new ModelError(
    'MODEL_UNWRITABLE',
    `Cannot write below ${path}. Check that this user may write there.`,
    options,
  )
}
