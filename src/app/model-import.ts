/**
 * Conversion of a Hugging Face folder into a stored model. Everything that can be refused is refused before the
 * first byte is written; shards go to a temporary folder beside the target, which takes its name at the very end. A
 * failure or an abort leaves nothing behind. Spec: docs/spec/model.md.
 * @module
 */
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { hash } from '../base/brand.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import { type ModelConfig, NUMBER_SPEC, type WeightFormat } from '../ml/config.ts'
import { configFromHuggingFace, generationFromHuggingFace } from '../ml/huggingface.ts'
import { parseJson } from '../ml/json-fields.ts'
import { encodeManifest, type FileEntry, type ModelManifest, type SegmentEntry } from '../ml/manifest.ts'
import { parseManifest } from '../ml/manifest-parse.ts'
import { ModelError } from '../ml/model-error.ts'
import { checkModelName } from '../ml/model-names.ts'
import { splitIntoSegments } from '../ml/segments.ts'
import { shardLayout } from '../ml/shard-file.ts'
import { type LayerRange, tensorPlan } from '../ml/tensors.ts'
import { asReadError, asWriteError, systemCode } from './file-errors.ts'
import { modelsFolder, openModelStore, readBounded, type StoredModel } from './model-store.ts'
import { TOKENIZER_FILE, TOKENIZER_FILES, tokenizerFromFiles } from './model-tokenizer.ts'
import { withNewFolder } from './new-folder.ts'
import { writeShard } from './shard-writer.ts'
import { openWeightsFolder, type WeightsFolder } from './weights-folder.ts'

/** Room that is left on the disk besides the model. */
const SPARE_BYTES = 16 * 1024 * 1024

export interface ImportProgress {
  /** Source weights converted so far, and in all. */
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface ImportOptions {
  /** The Hugging Face folder. */
  readonly folder: string
  /** The data folder. */
  readonly home: string
  /** Default: the folder's own name. */
  readonly name?: string | undefined
  readonly format: WeightFormat
  /** Number of segments; default as in splitIntoSegments. */
  readonly segments?: number | undefined
  /** Replace a model of the same name. */
  readonly force?: boolean
  readonly onProgress?: (progress: ImportProgress) => void
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

export interface ImportResult {
  readonly model: StoredModel
  /** Remarks for the user, as sentences. */
  readonly warnings: readonly string[]
}

/** What was read and checked before writing. */
interface Source {
  readonly name: string
  readonly config: ModelConfig
  readonly generation: ModelManifest['generation']
  readonly ranges: readonly LayerRange[]
  readonly tokenizerFiles: ReadonlyMap<string, Uint8Array>
  readonly weights: WeightsFolder
}

/** Throws ModelError; see docs/spec/model.md §7 for its codes. Rejects with the signal's reason when aborted. */
export async function importModel(options: ImportOptions, signal: AbortSignal): Promise<ImportResult> {
  const name = options.name ?? basename(resolve(options.folder))
  checkModelName(name)
  const weights = await openWeightsFolder(await checkFolder(options.folder))
  try {
    const source = await readSource(options, name, weights)
    await checkSpace(options, source)
    const target = { folder: modelsFolder(options.home), name, force: options.force ?? false }
    try {
      await withNewFolder(target, (folder) => writeModel({ ...options, target: folder, source }, signal))
    } catch (error) {
      throw asWriteError(error, modelsFolder(options.home))
    }
    const warnings = source.tokenizerFiles.size > 0 ? [] : [noTokenizer(options.folder)]
    return { model: openModelStore(options).find(name), warnings }
  } finally {
    await weights.close()
  }
}

async function checkFolder(folder: string): Promise<string> {
  try {
    await readFile(join(folder, 'config.json'))
    return folder
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw asReadError(error, folder)
    throw new ModelError(
      'MODEL_UNREADABLE',
      `${folder} has no config.json. Name the folder of a Hugging Face model: config.json, safetensors, tokenizer.json.`,
      { cause: error },
    )
  }
}

async function readSource(options: ImportOptions, name: string, weights: WeightsFolder): Promise<Source> {
  const json = (file: string): unknown => readJson(options.folder, file)
  const generationJson = await optionalFile(options.folder, 'generation_config.json')
  const generation = generationJson === undefined ? undefined : json('generation_config.json')
  const read = configFromHuggingFace(json('config.json'), generation)
  const ranges = splitIntoSegments(read, options.segments)
  const tokenizerFiles = await readTokenizerFiles(options.folder)
  const config = await withTokenizer(read, tokenizerFiles)
  const whole = { firstLayer: 0, lastLayer: config.layerCount, hasEmbedding: true, hasHead: true }
  weights.check(config, tensorPlan(config, whole))
  return {
    name,
    config,
    generation: generation === undefined ? {} : generationFromHuggingFace(generation),
    ranges,
    tokenizerFiles,
    weights,
  }
}

/** The begin token is the tokenizer's business: some models name one in config.json that no prompt starts with. */
async function withTokenizer(config: ModelConfig, files: ReadonlyMap<string, Uint8Array>): Promise<ModelConfig> {
  if (files.size === 0) return config
  const { beginToken, endTokens } = await tokenizerFromFiles((file) => files.get(file), config)
  return { ...config, beginToken, endTokens }
}

async function readTokenizerFiles(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of TOKENIZER_FILES) {
    const bytes = await optionalFile(folder, name)
    if (bytes !== undefined) files.set(name, bytes)
  }
  return files.has(TOKENIZER_FILE) ? files : new Map()
}

async function optionalFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  const path = join(folder, name)
  try {
    return readBounded(path, MODEL_LIMITS.jsonFileBytesMax)
  } catch (error) {
    if (error instanceof ModelError && systemCode(error.cause) === 'ENOENT') return undefined
    throw error
  }
}

function readJson(folder: string, name: string): unknown {
  const bytes = readBounded(join(folder, name), MODEL_LIMITS.jsonFileBytesMax)
  return parseJson(bytes, (problem) => new ModelError('MODEL_BAD_CONFIG', `${name} cannot be used: it ${problem}.`))
}

async function checkSpace(options: ImportOptions, source: Source): Promise<void> {
  const shards = source.ranges.map((range) => shardLayout(source.config, range, options.format).totalBytes)
  const needed = shards.reduce((sum, bytes) => sum + bytes, SPARE_BYTES)
  const folder = modelsFolder(options.home)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw asWriteError(error, folder)
  })
  const free = await (options.freeBytes ?? freeBytesBelow)(folder)
  if (free >= needed) return
  throw new ModelError(
    'MODEL_NO_SPACE',
    `The model takes ${megabytes(needed)} MB and ${folder} has ${megabytes(free)} MB free. Free some space, or choose --format q4.`,
    { details: { neededBytes: needed, freeBytes: free } },
  )
}

async function freeBytesBelow(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

interface WriteJob extends ImportOptions {
  /** Folder that becomes the model's. */
  readonly target: string
  readonly source: Source
}

async function writeModel(job: WriteJob, signal: AbortSignal): Promise<void> {
  const { config, ranges, weights } = job.source
  const plan = ranges.flatMap((range) => tensorPlan(config, range))
  const totalBytes = plan.reduce((sum, tensor) => sum + weights.bytesOf(config, tensor), 0)
  let doneBytes = 0
  const onBlock = (bytes: number): void => {
    doneBytes += bytes
    job.onProgress?.({ doneBytes, totalBytes })
  }
  const segments: SegmentEntry[] = []
  for (const [index, range] of ranges.entries()) {
    const file = `segment-${String(index).padStart(3, '0')}.shard`
    const path = join(job.target, file)
    const { bytes, sha256 } = await writeShard(
      { source: weights, config, range, format: job.format, path, onBlock },
      signal,
    )
    segments.push({ ...range, shard: { file, bytes, sha256: hash(sha256) } })
  }
  const manifest: ModelManifest = {
    name: job.source.name,
    spec: NUMBER_SPEC,
    format: job.format,
    config,
    segments,
    files: await writeTokenizerFiles(job),
    generation: job.source.generation,
  }
  const encoded = encodeManifest(manifest)
  parseManifest(encoded) // what we write, we must take
  await writeFile(join(job.target, 'manifest.json'), encoded, { flush: true, mode: 0o600 })
}

async function writeTokenizerFiles({ source, target }: WriteJob): Promise<FileEntry[]> {
  const { sha256 } = await import('@noble/hashes/sha2.js')
  const { bytesToHex } = await import('@noble/hashes/utils.js')
  const entries: FileEntry[] = []
  for (const [name, bytes] of source.tokenizerFiles) {
    await writeFile(join(target, name), bytes, { flush: true, mode: 0o600 })
    entries.push({ name, bytes: bytes.length, sha256: hash(bytesToHex(sha256(bytes))) })
  }
  return entries
}

function noTokenizer(folder: string): string {
  return `${folder} has no ${TOKENIZER_FILE}: the model can be probed with token ids, but it cannot chat.`
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6)
}
