/**
 * Conversion of a Hugging Face folder or a GGUF file into a stored model. Everything that can be refused is refused before the
 * first byte is written; shards go to a temporary folder beside the target, then into the store of files by their content; the folder takes its name at the very end. A
 * failure or an abort leaves nothing behind, but for shards whose import is killed while they are moved: `shard gc` finds them. Spec: docs/spec/model.md.
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type ModelConfig, NUMBER_SPEC, type WeightFormat } from '../ml/config.ts'
import { encodeManifest, type FileEntry, type ModelManifest, type SegmentEntry } from '../ml/manifest.ts'
import { parseManifest } from '../ml/manifest-parse.ts'
import { checkModelName } from '../ml/model-names.ts'
import { splitIntoSegments } from '../ml/segments.ts'
import { shardLayout } from '../ml/shard-file.ts'
import { type LayerRange, tensorPlan } from '../ml/tensors.ts'
import { refuseFullDisk } from './disk-space.ts'
import { asWriteError } from './file-errors.ts'
import { findSource, type ModelSource, openSource } from './import/model-source.ts'
import { createQuantizer } from './import/quantizer.ts'
import { MANIFEST_FILE, modelsFolder, openModelStore, type StoredModel } from './model-store.ts'
import { withNewFolder } from './new-folder.ts'
import { type WrittenShard, writeShard } from './shard-writer.ts'
import { rootOfBytes } from './shards/chunk-hash.ts'
import { shardsFolder } from './shards/shard-folder.ts'
import { refuseModelOverQuota } from './shards/shard-room.ts'
import { openShardStore } from './shards/shard-store.ts'

/** Room that is left on the disk besides the model. */
const SPARE_BYTES = 16 * 1024 * 1024

/** Below, threads cost more than they save. */
const THREADED_ELEMENTS = 16_777_216
/** A thread takes about 40 MB. */
const THREADS_MAX = 16

export interface ImportProgress {
  /** Source weights converted so far, and in all. */
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface ImportOptions {
  /** The Hugging Face folder, the GGUF file or its folder. */
  readonly folder: string
  /** The data folder. */
  readonly home: string
  /** Default: the name of the folder or file. */
  readonly name?: string | undefined
  readonly format: WeightFormat
  /** Positions of a session, at most those that the model has; default: all of them. */
  readonly context?: number | undefined
  /** Number of segments; default as in splitIntoSegments. */
  readonly segments?: number | undefined
  /** Threads that quantise; default one per core where that is worth it. */
  readonly threads?: number | undefined
  /** Replace a model of the same name. */
  readonly force?: boolean
  readonly onProgress?: (progress: ImportProgress) => void
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: (folder: string) => Promise<number>
  /** Of the store; 0 or left out: none. */
  readonly quotaBytes?: number
}

export interface ImportResult {
  readonly model: StoredModel
  /** Remarks for the user, as sentences. */
  readonly warnings: readonly string[]
}

/** What is written: the source, its name here, and how it is cut. */
interface Job extends ImportOptions {
  readonly name: string
  readonly source: ModelSource
  readonly ranges: readonly LayerRange[]
}

/** Throws ModelError; see docs/spec/model.md §7 for its codes. Rejects with the signal's reason when aborted. */
export async function importModel(options: ImportOptions, signal: AbortSignal): Promise<ImportResult> {
  if (options.name !== undefined) checkModelName(options.name)
  const place = await findSource(options.folder)
  const name = options.name ?? place.name
  checkModelName(name)
  const source = await openSource(place, options)
  try {
    const job = { ...options, name, source, ranges: splitIntoSegments(source.config, options.segments) }
    await checkSpace(job)
    const old = openModelStore(options)
      .list()
      .find(({ manifest }) => manifest.name === name)
    const target = { folder: modelsFolder(options.home), name, force: options.force ?? false }
    try {
      await withNewFolder(target, (folder) => writeModel(job, folder, signal))
    } catch (error) {
      throw asWriteError(error, modelsFolder(options.home))
    }
    const model = openModelStore(options).find(name)
    const replaced = old !== undefined && old.hash !== model.hash ? [REPLACED] : []
    return { model, warnings: [...source.warnings, ...replaced] }
  } finally {
    await source.weights.close()
  }
}

const REPLACED = 'Shards of the model that was replaced stay until `dllm shard gc`.'

/** Bytes that a model takes on the disk in a format, and some room. */
export function bytesOnDisk(config: ModelConfig, options: Pick<ImportOptions, 'format' | 'segments'>): number {
  return splitIntoSegments(config, options.segments)
    .map((range) => shardLayout(config, range, options.format).totalBytes)
    .reduce((sum, bytes) => sum + bytes, SPARE_BYTES)
}

async function checkSpace(job: Job): Promise<void> {
  const folder = modelsFolder(job.home)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw asWriteError(error, folder)
  })
  const neededBytes = bytesOnDisk(job.source.config, job)
  await refuseModelOverQuota({ folder: shardsFolder(job.home), quotaBytes: job.quotaBytes ?? 0 }, neededBytes)
  await refuseFullDisk(folder, {
    neededBytes,
    what: 'The model',
    freeBytes: job.freeBytes,
  })
}

async function writeModel(job: Job, target: string, signal: AbortSignal): Promise<void> {
  const { config } = job.source
  const { segments, shards } = await writeSegments(job, target, signal)
  const manifest: ModelManifest = {
    name: job.name,
    spec: NUMBER_SPEC,
    format: job.format,
    config,
    segments,
    files: await writeTokenizerFiles(job.source, target),
    generation: job.source.generation,
  }
  const encoded = encodeManifest(manifest)
  parseManifest(encoded) // what we write, we must take
  // Before a file is in the store: what no manifest names may be collected (shards/collect-shards.ts).
  await writeFile(join(target, MANIFEST_FILE), encoded, { flush: true, mode: 0o600 })
  const store = openShardStore({ home: job.home })
  for (const { path, ...shard } of shards) await store.adopt(path, shard, shard.leaves)
}

interface WrittenSegments {
  readonly segments: readonly SegmentEntry[]
  readonly shards: readonly (WrittenShard & { readonly path: string })[]
}

async function writeSegments(job: Job, target: string, signal: AbortSignal): Promise<WrittenSegments> {
  const { ranges, format } = job
  const { config, weights } = job.source
  const plan = ranges.flatMap((range) => tensorPlan(config, range))
  const totalBytes = plan.reduce((sum, tensor) => sum + weights.bytesOf(config, tensor), 0)
  const elements = plan.reduce((sum, tensor) => sum + tensor.rows * tensor.columns, 0)
  let doneBytes = 0
  const onBlock = (bytes: number): void => {
    doneBytes += bytes
    job.onProgress?.({ doneBytes, totalBytes })
  }
  // The other formats take less time than reading and writing does.
  const isWorthThreads = format === 'q4' && elements >= THREADED_ELEMENTS
  const quantizer = createQuantizer(job.threads ?? (isWorthThreads ? Math.min(availableParallelism(), THREADS_MAX) : 1))
  const segments: SegmentEntry[] = []
  const shards: WrittenSegments['shards'][number][] = []
  try {
    for (const [index, range] of ranges.entries()) {
      const file = `segment-${String(index).padStart(3, '0')}.shard`
      const path = join(target, file)
      const shard = { source: weights, config, range, format, quantizer, path, onBlock }
      const written = await writeShard(shard, signal)
      segments.push({ ...range, shard: { file, bytes: written.bytes, root: written.root } })
      shards.push({ ...written, path })
    }
    return { segments, shards }
  } finally {
    await quantizer.close()
  }
}

async function writeTokenizerFiles(source: ModelSource, target: string): Promise<FileEntry[]> {
  const entries: FileEntry[] = []
  for (const [name, bytes] of source.tokenizerFiles) {
    await writeFile(join(target, name), bytes, { flush: true, mode: 0o600 })
    entries.push({ name, bytes: bytes.length, root: rootOfBytes(bytes) })
  }
  return entries
}
