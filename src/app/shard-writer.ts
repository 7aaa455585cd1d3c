/**
 * Writes one shard: rows in blocks from the source files, quantised, to their places in the shard file. Memory holds one
 * block, whatever the model; every block ends with asynchronous writes, so that the event loop turns between them.
 * Spec: docs/spec/model.md §4.
 * @module
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { ModelConfig, WeightFormat } from '../ml/config.ts'
import { quantizeRows } from '../ml/quantize.ts'
import { partsOfMatrix, shardLayout, type TensorLayout } from '../ml/shard-file.ts'
import type { LayerRange } from '../ml/tensors.ts'
import type { SourceWeights } from './import/source-weights.ts'

/** Elements of a block: the slowest format takes about 10 ms for them. */
const BLOCK_ELEMENTS = 131_072
const HASH_CHUNK_BYTES = 4 * 1024 * 1024

export interface ShardJob {
  readonly source: SourceWeights
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly format: WeightFormat
  /** Must not exist yet. */
  readonly path: string
  /** Called after each block with the bytes of source weights in it. */
  readonly onBlock: (sourceBytes: number) => void
}

/** Writes and syncs the file; returns its size and SHA-256 as read back. */
export async function writeShard(job: ShardJob, signal: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const layout = shardLayout(job.config, job.range, job.format)
  const file = await open(job.path, 'wx+', 0o600)
  try {
    await file.truncate(layout.totalBytes)
    await writeFully(file, layout.head, 0)
    for (const tensor of layout.tensors) await writeTensor(file, tensor, job, signal)
    await file.sync()
    return { bytes: layout.totalBytes, sha256: await hashFile(file, signal) }
  } finally {
    await file.close()
  }
}

async function writeTensor(file: FileHandle, tensor: TensorLayout, job: ShardJob, signal: AbortSignal): Promise<void> {
  const { plan, parts } = tensor
  const format = plan.kind === 'vector' ? 'f32' : job.format
  const blockRows = Math.max(1, Math.floor(BLOCK_ELEMENTS / plan.columns))
  const rowBytes = job.source.bytesOf(job.config, plan) / plan.rows
  for (let firstRow = 0; firstRow < plan.rows; firstRow += blockRows) {
    signal.throwIfAborted()
    const rows = Math.min(blockRows, plan.rows - firstRow)
    const values = await job.source.readRows(job.config, plan, { firstRow, rows })
    const arrays = partsOfMatrix(quantizeRows(format, values, plan.columns))
    for (const [index, part] of parts.entries()) {
      await writeFully(file, arrays[index]!, part.offset + firstRow * part.bytesPerRow)
    }
    job.onBlock(rows * rowBytes)
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** SHA-256 of an open file from its start, in hexadecimal. */
export async function hashFile(file: FileHandle, signal: AbortSignal): Promise<string> {
  const digest = createHash('sha256')
  const chunk = new Uint8Array(HASH_CHUNK_BYTES)
  for (let position = 0; ; ) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
    if (bytesRead === 0) return digest.digest('hex')
    digest.update(chunk.subarray(0, bytesRead))
    position += bytesRead
  }
}
