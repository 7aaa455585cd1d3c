/**
 * Secrets and messages from files, descriptors and stdin, with a bound. Secrets never come from the command line,
 * where every process of the machine can read them. Spec: docs/spec/keys.md §8.
 * @module
 */
import { createReadStream, fstatSync } from 'node:fs'
import { HouseError } from '../base/error.ts'
import { WALLET_LIMITS } from '../base/limits.ts'

export class InputError extends HouseError<
  'INPUT_NOT_READABLE' | 'INPUT_TOO_LONG' | 'INPUT_NOT_TEXT' | 'INPUT_NOT_ONE_LINE' | 'INPUT_EMPTY'
> {}

/** Where to read from. A file named `-` is stdin. */
export type InputSource =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'fd'; readonly fd: number }

const STDIN_FD = 0

/** The source that a pair of flags names, or undefined for neither. */
export function sourceOf(file: string | undefined, fd: number | undefined): InputSource | undefined {
  if (file !== undefined) return file === '-' ? { type: 'fd', fd: STDIN_FD } : { type: 'file', path: file }
  return fd === undefined ? undefined : { type: 'fd', fd }
}

/**
 * A secret of one line, without its line end.
 * @throws InputError, which names the source and never the content.
 */
export async function readSecretLine(source: InputSource): Promise<string> {
  const line = (await readSecretText(source)).replace(/\r?\n$/, '')
  if (line === '') throw new InputError('INPUT_EMPTY', `${nameOf(source)} is empty.`)
  if (/[\r\n]/.test(line)) throw new InputError('INPUT_NOT_ONE_LINE', `${nameOf(source)} has more than one line.`)
  return line
}

/** A secret that may span lines, such as words. @throws InputError */
export async function readSecretText(source: InputSource): Promise<string> {
  const bytes = await readBytes(source, WALLET_LIMITS.secretInputBytesMax)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError('INPUT_NOT_TEXT', `${nameOf(source)} is not UTF-8 text.`)
  }
}

/** All bytes of a source, at most `limitBytes`. @throws InputError INPUT_NOT_READABLE, INPUT_TOO_LONG */
export async function readBytes(source: InputSource, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    if (source.type === 'fd') checkDescriptor(source)
    for await (const chunk of streamOf(source)) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      length += bytes.length
      if (length > limitBytes) {
        throw new InputError('INPUT_TOO_LONG', `${nameOf(source)} has more than ${limitBytes} bytes.`)
      }
      chunks.push(bytes)
    }
  } catch (error) {
    throw error instanceof InputError ? error : notReadable(source, error)
  }
  return Uint8Array.from(Buffer.concat(chunks))
}

function streamOf(source: InputSource): AsyncIterable<Uint8Array | string> {
  if (source.type === 'file') return createReadStream(source.path)
  // Stdin may be non-blocking, which only its own stream can read.
  return source.fd === STDIN_FD ? process.stdin : createReadStream('', { fd: source.fd, autoClose: false })
}

/** A number that nobody opened may belong to the runtime itself; reading or closing that would end the program. */
function checkDescriptor(source: InputSource & { type: 'fd' }): void {
  const found = fstatSync(source.fd)
  if (found.isFile() || found.isFIFO() || found.isSocket() || found.isCharacterDevice()) return
  throw new InputError('INPUT_NOT_READABLE', `${nameOf(source)} cannot be read: it is no file and no pipe.`)
}

function notReadable(source: InputSource, cause: unknown): InputError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown cause'
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'this user has no permission',
    EISDIR: 'it is a folder',
    EBADF: 'it is not open',
    EAGAIN: 'nothing was written to it',
    EINVAL: 'it is not open for reading',
  }
  return new InputError('INPUT_NOT_READABLE', `${nameOf(source)} cannot be read: ${reasons[code] ?? code}.`, { cause })
}

function nameOf(source: InputSource): string {
  if (source.type === 'file') return source.path
  return source.fd === STDIN_FD ? 'Stdin' : `Descriptor ${source.fd}`
}
