/**
 * Writes one shard: rows in blocks from the source files, quantised, to their places in the shard file. Memory holds a
 * few blocks, whatever the model; every block ends with asynchronous writes, so that the event loop turns between them.
 * Spec: docs/spec/model.md §4.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises'
import { rootOfLeaves } from '../ml/chunk-tree.ts'
import type { ModelConfig, WeightFormat } from '../ml/config.ts'
import { shardLayout, type TensorLayout } from '../ml/shard-file.ts'
import type { LayerRange } from '../ml/tensors.ts'
import type { Quantizer } from './import/quantizer.ts'
import type { RowBlock, SourceWeights } from './import/source-weights.ts'
import { leavesOfFile } from './shards/chunk-hash.ts'
import type { FileId } from './shards/chunk-source.ts'

/** Elements of a block: the slowest format takes about 10 ms for them. */
const BLOCK_ELEMENTS = 131_072

export interface ShardJob {
  readonly source: SourceWeights
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly format: WeightFormat
  readonly quantizer: Quantizer
  /** Must not exist yet. */
  readonly path: string
  /** Called after each block with the bytes of source weights in it. */
  readonly onBlock: (sourceBytes: number) => void
}

export interface WrittenShard extends FileId {
  readonly leaves: Uint8Array
}

/** Writes and syncs the file; returns its size, and root and leaves as read back. */
export async function writeShard(job: ShardJob, signal: AbortSignal): Promise<WrittenShard> {
  const layout = shardLayout(job.config, job.range, job.format)
  const file = await open(job.path, 'wx+', 0o600)
  try {
    await file.truncate(layout.totalBytes)
    await writeFully(file, layout.head, 0)
    await writeBlocks(file, layout.tensors, job, signal)
    await file.sync()
    const leaves = await leavesOfFile(file, signal)
    return { bytes: layout.totalBytes, root: rootOfLeaves(leaves), leaves }
  } finally {
    await file.close()
  }
}

interface Block extends RowBlock {
  readonly tensor: TensorLayout
}

function* blocksOf(tensors: readonly TensorLayout[]): Generator<Block> {
  for (const tensor of tensors) {
    const { rows: total, columns } = tensor.plan
    const blockRows = Math.max(1, Math.floor(BLOCK_ELEMENTS / columns))
    for (let firstRow = 0; firstRow < total; firstRow += blockRows) {
      yield { tensor, firstRow, rows: Math.min(blockRows, total - firstRow) }
    }
  }
}

/** Several at once: one is read and another written while others are quantised. Their places in the file do not depend on the order. */
async function writeBlocks(
  file: FileHandle,
  tensors: readonly TensorLayout[],
  job: ShardJob,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>()
  try {
    for (const block of blocksOf(tensors)) {
      signal.throwIfAborted()
      // One that failed stays, so that the next race ends with it.
      const one: Promise<void> = writeBlock(file, block, job).then(() => void running.delete(one))
      running.add(one)
      if (running.size >= job.quantizer.blocksAtOnce) await Promise.race(running)
    }
    await Promise.all(running)
  } finally {
    // Nobody may write to a file that is closed, or to another that got its number.
    await Promise.allSettled(running)
  }
}

async function writeBlock(file: FileHandle, { tensor, firstRow, rows }: Block, job: ShardJob): Promise<void> {
  const { plan, parts } = tensor
  const format = plan.kind === 'vector' ? 'f32' : job.format
  const values = await job.source.readRows(job.config, plan, { firstRow, rows })
  const arrays = await job.quantizer.quantize({ format, values, columns: plan.columns })
  for (const [index, part] of parts.entries()) {
    await writeFully(file, arrays[index]!, part.offset + firstRow * part.bytesPerRow)
  }
  job.onBlock((job.source.bytesOf(job.config, plan) / plan.rows) * rows)
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
