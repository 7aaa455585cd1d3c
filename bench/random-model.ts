/**
 * Writes a model of random integers, of TinyLlama-1.1B's shape, as the product stores models. The numbers mean nothing;
 * their count, their format and their distribution are what a real model of this size has. Memory holds one block.
 * Spec of the files: docs/spec/model.md §4, §6.
 * @module
 */
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modelsFolder } from '../src/app/model-store.ts'
import { withNewFolder } from '../src/app/new-folder.ts'
import { leavesOfFile, rootOfBytes } from '../src/app/shards/chunk-hash.ts'
import { rootOfLeaves } from '../src/ml/chunk-tree.ts'
import { type ModelConfig, NUMBER_SPEC } from '../src/ml/config.ts'
import { encodeManifest, type FileEntry, type SegmentEntry } from '../src/ml/manifest.ts'
import { splitIntoSegments } from '../src/ml/segments.ts'
import { type PartLayout, shardLayout, type TensorLayout } from '../src/ml/shard-file.ts'
import type { LayerRange } from '../src/ml/tensors.ts'

export type RandomFormat = 'q8' | 'q4'

/** huggingface.co/TinyLlama/TinyLlama-1.1B-Chat-v1.0, config.json; no token ends an answer. */
export const TINYLLAMA_SHAPE: ModelConfig = {
  family: 'llama',
  hiddenSize: 2_048,
  layerCount: 22,
  headCount: 32,
  keyValueHeadCount: 4,
  headSize: 64,
  intermediateSize: 5_632,
  vocabularySize: 32_000,
  contextLength: 2_048,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none' },
  slidingWindow: undefined,
  queryKeyValueBias: false,
  queryKeyNorm: false,
  tiedHead: false,
  beginToken: 1,
  endTokens: [],
}

const BLOCK_BYTES = 1_048_576
/** Standard deviations of the integers below, of values and of value times multiplier. */
const DEVIATION = { q8: 73, q4: 190 } as const

export interface RandomModel {
  readonly name: string
  readonly format: RandomFormat
  readonly config: ModelConfig
  /** No two segments share a chunk, as in real models. Default: those of one shape are alike but for their heads. */
  readonly areDistinct?: boolean
  /** Of the tokenizer. Default: none. */
  readonly files?: ReadonlyMap<string, Uint8Array>
}

/** Adds the model to the data folder `home`; the same model gives the same bytes. */
export async function writeRandomModel(home: string, model: RandomModel, signal: AbortSignal): Promise<void> {
  const { name, format, config, areDistinct = false } = model
  await withNewFolder({ folder: modelsFolder(home), name, force: false }, async (folder) => {
    const segments: SegmentEntry[] = []
    for (const [index, range] of splitIntoSegments(config).entries()) {
      const file = `segment-${String(index).padStart(3, '0')}.shard`
      const source = createSource(format, areDistinct ? index : 0)
      const shard = await writeShard({ ...model, range, source, path: join(folder, file) }, signal)
      segments.push({ ...range, shard: { file, ...shard } })
    }
    const files: FileEntry[] = []
    for (const [file, bytes] of model.files ?? []) {
      await writeFile(join(folder, file), bytes, { mode: 0o600 })
      files.push({ name: file, bytes: bytes.length, root: rootOfBytes(bytes) })
    }
    const manifest = { name, spec: NUMBER_SPEC, format, config, segments, files, generation: {} } as const
    await writeFile(join(folder, 'manifest.json'), encodeManifest(manifest), { mode: 0o600 })
  })
}

interface ShardJob {
  readonly format: RandomFormat
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly source: Source
  readonly path: string
}

async function writeShard(job: ShardJob, signal: AbortSignal) {
  const layout = shardLayout(job.config, job.range, job.format)
  const file = await open(job.path, 'wx+', 0o600)
  try {
    await file.truncate(layout.totalBytes)
    await file.write(layout.head, 0, layout.head.length, 0)
    for (const tensor of layout.tensors) {
      for (const part of tensor.parts) {
        signal.throwIfAborted()
        await writePart(file, { part, bytes: job.source(tensor, part) })
      }
    }
    return { bytes: layout.totalBytes, root: rootOfLeaves(await leavesOfFile(file, signal)) }
  } finally {
    await file.close()
  }
}

/** Repeats the block, each time from another place in it. */
async function writePart(file: FileHandle, { part, bytes }: { part: PartLayout; bytes: Uint8Array }): Promise<void> {
  let done = 0
  let start = 0
  while (done < part.bytes) {
    const length = Math.min(part.bytes - done, bytes.length - start)
    const { bytesWritten } = await file.write(bytes, start, length, part.offset + done)
    done += bytesWritten
    // 4 divides every step, so that floats stay whole.
    start = bytes.length <= 4 ? 0 : (done * 5) % (bytes.length / 2)
    start -= start % 4
  }
}

type Source = (tensor: TensorLayout, part: PartLayout) => Uint8Array

function createSource(format: RandomFormat, number: number): Source {
  const noise = noiseBlock(number)
  const values = noise.map((byte) => (byte === 0x80 ? 0 : byte)) // int8 without −128
  const multipliers = noise.map((byte) => 16 + (byte % 48))
  return ({ plan }, { part }) => {
    if (plan.kind === 'vector') return floats(1)
    switch (part) {
      case 'values':
        return values
      case 'nibbles':
        return noise
      case 'multipliers':
        return multipliers
      case 'scales':
        return floats(1 / (DEVIATION[format] * Math.sqrt(plan.columns)))
    }
  }
}

/** A block of one float. */
function floats(value: number): Uint8Array {
  return new Uint8Array(new Float32Array(BLOCK_BYTES / 64).fill(value).buffer)
}

/** Marsaglia's xorshift32; another one for each number. */
function noiseBlock(number: number): Uint8Array {
  const words = new Uint32Array(BLOCK_BYTES / 4)
  let state = 0x9e3779b9 + number
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer)
}
