/**
 * A model of a hub to `<home>/downloads/`: its config first, so that what cannot be imported or stored is refused before its weights are
 * fetched. Files of an interrupted download are used by the next one. Spec: docs/spec/model.md §11.
 * @module
 */
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import type { ModelConfig } from '../../ml/config.ts'
import { configFromGguf } from '../../ml/gguf/config.ts'
import { readGgufFields } from '../../ml/gguf/fields.ts'
import { parseGgufHeader } from '../../ml/gguf/header.ts'
import { EMBEDDING_NAME } from '../../ml/gguf/tensors.ts'
import { configFromHuggingFace } from '../../ml/huggingface.ts'
import { parseJson } from '../../ml/json-fields.ts'
import { ModelError } from '../../ml/model-error.ts'
import { tryLock } from '../devnet/lock.ts'
import { refuseFullDisk } from '../disk-space.ts'
import { asWriteError } from '../file-errors.ts'
import { ggufStem } from '../import/gguf-files.ts'
import { CONFIG_FILE, type SourcePlace } from '../import/model-source.ts'
import { bytesAt } from '../import/source-weights.ts'
import { readBounded } from '../model-store.ts'
import { INDEX_FILE, readIndex } from '../weights-folder.ts'
import { type Choice, chooseFiles, chooseIndexed } from './choose-files.ts'
import { bytesHere, downloadFile, partName } from './download-file.ts'
import { HubError } from './hub-error.ts'
import { createHubHttp, type HubAccess, type HubHttp } from './hub-http.ts'
import { fileUrl, listRepository, type RemoteFile, type Repository } from './repository.ts'
import type { RepositoryName } from './repository-name.ts'

export interface DownloadProgress {
  readonly doneBytes: number
  readonly totalBytes: number
  /** Of them, those that were here before. */
  readonly keptBytes: number
}

export interface DownloadOptions {
  readonly repository: RepositoryName
  /** One GGUF file of a repository with several. */
  readonly file?: string | undefined
  readonly access: HubAccess
  /** The data folder. */
  readonly home: string
  /** Refuses a name that the model cannot have here, before anything large is fetched. */
  readonly checkName: (name: string) => Promise<void>
  /** Bytes of the model that is made of it; rejects where it may not be made. */
  readonly bytesOnDisk: (config: ModelConfig) => number | Promise<number>
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
  /** Free bytes below a folder; default asks the file system. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined
}

export interface DownloadedModel {
  readonly place: SourcePlace
  /** Deletes what was downloaded. */
  remove(): Promise<void>
  /** Lets another process have it. */
  release(): Promise<void>
}

/** A part of the command line of whoever holds a lock: Node's own name. */
const HOLDER = 'node'

/** Throws HubError or ModelError, or the signal's reason. What came is kept for the next time. */
export async function downloadModel(
  options: DownloadOptions,
  ports: { clock: Clock },
  signal: AbortSignal,
): Promise<DownloadedModel> {
  const { owner, name } = options.repository
  const downloads = join(options.home, 'downloads')
  const lock = await tryLock(join(downloads, `${owner}--${name}.lock`), HOLDER)
  if ('holder' in lock) {
    throw new HubError(
      'HUB_IN_USE',
      `Process ${lock.holder} downloads ${owner}/${name} already. Wait for it, or end it.`,
    )
  }
  try {
    const http = createHubHttp(options.access, ports, signal)
    const repository = await listRepository(options.repository, http)
    const choice = chooseFiles(repository.files, options.file)
    const model = choice.type === 'gguf' ? ggufStem(choice.weights[0]!.name) : name
    await options.checkName(model)
    const folder = join(downloads, `${owner}--${name}@${repository.commit}`)
    await prepare(downloads, folder)
    await fetchChoice({ ...options, http, repository, folder }, choice, signal)
    return {
      place: {
        type: choice.type,
        path: choice.type === 'gguf' ? join(folder, choice.weights[0]!.name) : folder,
        name: model,
      },
      remove: () => rm(folder, { recursive: true, force: true }),
      release: lock.release,
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Makes the folder. Unfinished downloads of other commits of the repository go: nobody will finish them. */
async function prepare(downloads: string, folder: string): Promise<void> {
  const stem = folder.slice(0, folder.lastIndexOf('@') + 1)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const other of (await readdir(downloads)).map((entry) => join(downloads, entry))) {
      if (!other.startsWith(stem) || other === folder) continue
      if ((await readdir(other)).some((name) => name.endsWith(partName(''))))
        await rm(other, { recursive: true, force: true })
    }
  } catch (error) {
    throw asWriteError(error, downloads)
  }
}

interface Job extends Omit<DownloadOptions, 'repository'> {
  readonly http: HubHttp
  readonly repository: Repository
  readonly folder: string
}

async function fetchChoice(job: Job, choice: Choice, signal: AbortSignal): Promise<void> {
  await checkSpace(job, [...choice.small, ...choice.weights], 0)
  await fetchFiles(job, choice.small, signal)
  const weights =
    choice.weights.length > 0
      ? choice.weights
      : chooseIndexed(job.repository.files, readIndex(join(job.folder, INDEX_FILE)))
  const config = choice.type === 'folder' ? readConfig(job.folder) : await lookAtGguf(job, weights[0]!, signal)
  await checkSpace(job, weights, config === undefined ? 0 : await job.bytesOnDisk(config))
  await fetchFiles(job, weights, signal)
}

/** Throws MODEL_NO_SPACE unless there is room for what is still to come of `files`, and for `resultBytes`. */
async function checkSpace(job: Job, files: readonly RemoteFile[], resultBytes: number): Promise<void> {
  let neededBytes = resultBytes
  for (const file of files) neededBytes += file.bytes - (await bytesHere(job.folder, file))
  await refuseFullDisk(job.folder, {
    neededBytes,
    what: 'The download, with the model made of it,',
    freeBytes: job.freeBytes,
  })
}

async function fetchFiles(job: Job, files: readonly RemoteFile[], signal: AbortSignal): Promise<void> {
  const totalBytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const here = new Map<RemoteFile, number>()
  for (const file of files) here.set(file, await bytesHere(job.folder, file))
  const sum = (): number => [...here.values()].reduce((all, bytes) => all + bytes, 0)
  const keptBytes = sum()
  for (const file of files) {
    const onBytes = (bytes: number): void => {
      here.set(file, bytes)
      job.onProgress?.({ doneBytes: sum(), totalBytes, keptBytes })
    }
    await downloadFile({ ...downloadOf(job, file), onBytes }, signal)
  }
}

function downloadOf(
  { repository, http, folder }: Job,
  file: RemoteFile,
): Omit<Parameters<typeof downloadFile>[0], 'onBytes'> {
  return { file, folder, http, url: fileUrl(repository, file.name, http.access.endpoint) }
}

function readConfig(folder: string): ModelConfig {
  const bytes = readBounded(join(folder, CONFIG_FILE), MODEL_LIMITS.jsonFileBytesMax)
  return configFromHuggingFace(
    parseJson(bytes, (problem) => new ModelError('MODEL_BAD_CONFIG', `${CONFIG_FILE} cannot be used: it ${problem}.`)),
  )
}

/** The config in the first bytes of a GGUF file; undefined where the embedding is in another part. Throws ModelError. */
async function lookAtGguf(job: Job, file: RemoteFile, signal: AbortSignal): Promise<ModelConfig | undefined> {
  const untilBytes = Math.min(file.bytes, MODEL_LIMITS.ggufHeaderBytesMax)
  if (untilBytes === file.bytes) return undefined // fetching all of it is as cheap
  await downloadFile({ ...downloadOf(job, file), untilBytes, onBytes: () => {} }, signal)
  const here = (await bytesHere(job.folder, file)) === file.bytes
  const part = await open(join(job.folder, here ? file.name : partName(file.name)), 'r').catch(() => undefined)
  if (part === undefined) return undefined
  try {
    const header = parseGgufHeader(await bytesAt(part, 0, untilBytes), file.bytes)
    if (header === undefined) return undefined
    const fields = readGgufFields(header.metadata)
    const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
    if (!tensors.has(EMBEDDING_NAME)) return undefined
    return configFromGguf(fields, { tensors, ropeFactors: undefined, beginToken: undefined, endTokens: [] })
  } finally {
    await part.close()
  }
}
