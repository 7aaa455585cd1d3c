/** A store in a folder of its own, and files to put into it. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { leavesOfBytes, rootOfBytes } from '../../../../src/app/shards/chunk-hash.ts'
import type { FileId } from '../../../../src/app/shards/chunk-source.ts'
import type { PartialFile } from '../../../../src/app/shards/partial-file.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'

export const NEVER = new AbortController().signal

export function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'dllm-shards-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return home
}

export interface Content extends FileId {
  readonly content: Buffer
  readonly leaves: Uint8Array
}

/** Bytes that follow from the seed: every chunk is another one. */
export function fileOf(bytes: number, seed = 0): Content {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    const block = createHash('sha256').update(`${seed}/${at}`).digest()
    content.fill(block, at, Math.min(bytes, at + CHUNK_BYTES))
  }
  return contentOf(content)
}

export function contentOf(content: Buffer): Content {
  return { content, bytes: content.length, root: rootOfBytes(content), leaves: leavesOfBytes(content) }
}

export function chunkOf({ content }: Content, index: number): Buffer {
  return content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
}

export async function writeAll(partial: PartialFile, file: Content): Promise<void> {
  for (let index = 0; index * CHUNK_BYTES < file.bytes; index++) await partial.write(index, chunkOf(file, index))
}
