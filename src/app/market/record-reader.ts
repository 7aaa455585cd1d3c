/**
 * Reads a file of records (record-file.ts) that somebody may be writing: from the beginning, one record in memory at a time, up to the last one that is
 * whole. Changes nothing on the disk.
 * Spec: docs/spec/market.md §9.4.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { systemCode } from '../file-errors.ts'
import { asStoreError } from '../store/store-error.ts'
import { RECORD_HEADER_BYTES, readRecords, recordBytes } from './record-file.ts'

/** Payloads in their order; none where there is no file. Returns whether there is one. @throws StoreError. */
export async function* recordsOf(path: string): AsyncGenerator<Uint8Array, boolean, void> {
  const file = await openFile(path)
  if (file === undefined) return false
  try {
    yield* recordsIn(file, path)
    return true
  } finally {
    await file.close()
  }
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw asStoreError(error, path)
  }
}

async function* recordsIn(file: FileHandle, path: string): AsyncGenerator<Uint8Array, void, void> {
  let at = 0
  for (;;) {
    const header = await readAt(file, at, RECORD_HEADER_BYTES, path)
    const length = header === undefined ? 0 : recordBytes(header)
    if (header === undefined || length > STORE_LIMITS.diskFileBytesMax) return
    const record = await readAt(file, at, length, path)
    const [payload] = record === undefined ? [] : readRecords(record).records
    // What is not whole is being written, or was when the machine went down.
    if (payload === undefined) return
    yield payload
    at += length
  }
}

/** So many bytes from `at` on; undefined where there are fewer. */
async function readAt(file: FileHandle, at: number, length: number, path: string): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(length)
  try {
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled)
      if (bytesRead === 0) return undefined
      filled += bytesRead
    }
    return bytes
  } catch (error) {
    throw asStoreError(error, path)
  }
}
