/**
 * One file from a hub to the disk. It grows as `NAME.part`, goes on where it ended, after a cut as after a kill, and gets its name when
 * its hash is the one that the repository lists. Spec: docs/spec/model.md §11.
 * @module
 */
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asWriteError } from '../file-errors.ts'
import { syncFolder } from '../home.ts'
import { HubError } from './hub-error.ts'
import { type Answer, badAnswer, CutError, type HubHttp } from './hub-http.ts'
import type { RemoteFile } from './repository.ts'

const CHUNK_BYTES = 4 * 1024 * 1024
/** A whole file with another hash is fetched once more: a part of an earlier run may have been damaged. */
const ROUNDS = 2

export interface FileDownload {
  readonly file: RemoteFile
  readonly url: URL
  readonly http: HubHttp
  /** Where it goes. */
  readonly folder: string
  /** Ends earlier, without a name: enough of the file to look at. */
  readonly untilBytes?: number
  /** Bytes that are on the disk now, of this file. */
  readonly onBytes: (bytes: number) => void
}

export function partName(name: string): string {
  return `${name}.part`
}

/** Bytes of the file that are on the disk, whole or in part. */
export async function bytesHere(folder: string, file: RemoteFile): Promise<number> {
  for (const name of [file.name, partName(file.name)]) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found?.isFile() && found.size <= file.bytes) return found.size
  }
  return 0
}

/** Throws HubError, MODEL_NO_SPACE or MODEL_UNWRITABLE, or the signal's reason; what came stays for the next time. */
export async function downloadFile(download: FileDownload, signal: AbortSignal): Promise<void> {
  const { file, folder } = download
  const path = join(folder, file.name)
  if ((await stat(path).catch(() => undefined))?.size === file.bytes) return download.onBytes(file.bytes)
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      if (await fetchPart(download, signal)) return
    }
  } catch (error) {
    throw asWriteError(error, folder)
  }
  throw new HubError(
    'HUB_WRONG_HASH',
    `${file.name} is not the file that the repository lists: its hash is another. Try again later, or another mirror.`,
    { details: { file: file.name } },
  )
}

/** True when there is as much as was asked for, false when the whole file had another hash and was thrown away. */
async function fetchPart(download: FileDownload, signal: AbortSignal): Promise<boolean> {
  const { file, folder, untilBytes = file.bytes } = download
  const path = join(folder, partName(file.name))
  const part = await open(path, 'a+', 0o600)
  try {
    if ((await part.stat()).size > file.bytes) await part.truncate(0)
    await fill(part, { ...download, untilBytes: Math.min(untilBytes, file.bytes) }, signal)
    if (untilBytes < file.bytes) return true
    await part.sync()
    if ((await hashOf(part, file, signal)) !== file.hash.hex) {
      await part.truncate(0)
      return false
    }
  } finally {
    await part.close()
  }
  await rename(path, join(folder, file.name))
  await syncFolder(folder)
  return true
}

/** Appends until the part has `untilBytes`; attempts count anew whenever one brought something. */
async function fill(
  part: FileHandle,
  download: FileDownload & { untilBytes: number },
  signal: AbortSignal,
): Promise<void> {
  let attempt = 0
  for (;;) {
    const { size } = await part.stat()
    download.onBytes(size)
    if (size >= download.untilBytes) return
    signal.throwIfAborted()
    try {
      await append(part, size, download)
    } catch (error) {
      if (!(error instanceof CutError)) throw error
      attempt = (await part.stat()).size > size ? 1 : attempt + 1
      await download.http.waitForAttempt(attempt, error.message)
    }
  }
}

/** One request. Throws CutError where it ends before the file does. */
async function append(part: FileHandle, from: number, download: FileDownload & { untilBytes: number }): Promise<void> {
  const answer = await download.http.get(download.url, { from })
  try {
    const start = await startOf(answer, from, download.file)
    if (start === 0 && from > 0) await part.truncate(0)
    let position = start
    for await (const piece of answer.body()) {
      position += piece.length
      if (position > download.file.bytes) {
        await part.truncate(0)
        throw badAnswer(answer.url, `sends more of ${download.file.name} than the repository lists`)
      }
      await writeFully(part, piece)
      download.onBytes(position)
      if (position >= download.untilBytes) return
    }
    if (position < download.file.bytes) throw new CutError('the connection ended in the middle of a file')
  } finally {
    answer.end()
  }
}

/** Where the body begins in the file: at `from`, or at 0 where the server has no ranges. */
async function startOf({ response, url }: Answer, from: number, file: RemoteFile): Promise<number> {
  const { status, headers } = response
  if (headers.get('content-type')?.includes('text/html'))
    throw badAnswer(url, `answers with a web page instead of ${file.name}`)
  const total = status === 206 ? /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') : null
  if (status === 206 && total !== null && Number(total[1]) === from && Number(total[2]) === file.bytes) return from
  const length = headers.get('content-length')
  if (status === 200 && (length === null || Number(length) === file.bytes)) return 0
  throw badAnswer(url, `does not send the ${file.bytes} bytes of ${file.name} that the repository lists`)
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done)
    done += bytesWritten
  }
}

async function hashOf(part: FileHandle, { bytes, hash }: RemoteFile, signal: AbortSignal): Promise<string> {
  const digest: Hash = hash.type === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`)
  const chunk = new Uint8Array(CHUNK_BYTES)
  for (let position = 0; ; ) {
    signal.throwIfAborted()
    const { bytesRead } = await part.read(chunk, 0, chunk.length, position)
    if (bytesRead === 0) return digest.digest('hex')
    digest.update(chunk.subarray(0, bytesRead))
    position += bytesRead
  }
}
