/**
 * What people name to `dllm model import`: a folder, a GGUF file, or a repository of a hub, which is downloaded first and removed
 * when the model is in the store. Spec: docs/spec/model.md §11.
 * @module
 */
import { stat } from 'node:fs/promises'
import type { Clock } from '../../base/ports.ts'
import { checkModelName } from '../../ml/model-names.ts'
import { type DownloadProgress, downloadModel } from '../hub/download-model.ts'
import { HubError } from '../hub/hub-error.ts'
import {
  hasRepositoryPrefix,
  looksLikeRepository,
  parseRepositoryName,
  type RepositoryName,
} from '../hub/repository-name.ts'
import { bytesOnDisk, type ImportOptions, type ImportResult, importModel } from '../model-import.ts'
import { modelsFolder } from '../model-store.ts'
import { refuseExisting } from '../new-folder.ts'
import { shardsFolder } from '../shards/shard-folder.ts'
import { refuseModelOverQuota } from '../shards/shard-room.ts'

export interface ImportByNameOptions extends Omit<ImportOptions, 'folder'> {
  /** A path, `hf:owner/name[@revision]`, or `owner/name` where no such path is. */
  readonly source: string
  /** One GGUF file of a repository with several. */
  readonly file?: string | undefined
  /** Address of the hub or of a mirror. */
  readonly endpoint: string
  readonly token: string | undefined
  /** Keep what was downloaded. */
  readonly keep: boolean
  readonly onDownload?: (progress: DownloadProgress) => void
}

/** Throws ModelError or HubError. Rejects with the signal's reason when aborted. */
export async function importByName(
  options: ImportByNameOptions,
  ports: { clock: Clock },
  signal: AbortSignal,
): Promise<ImportResult> {
  const repository = await repositoryOf(options.source)
  if (repository === undefined) return importModel({ ...options, folder: options.source }, signal)
  const { home, force = false } = options
  if (options.name !== undefined) checkModelName(options.name)
  const checkName = async (found: string): Promise<void> => {
    const name = options.name ?? found
    checkModelName(name)
    await refuseExisting({ folder: modelsFolder(home), name, force })
  }
  const { file, freeBytes, onDownload } = options
  const downloaded = await downloadModel(
    {
      ...{ repository, file, home, checkName, freeBytes, onProgress: onDownload },
      access: { endpoint: readEndpoint(options.endpoint), token: options.token },
      async bytesOnDisk(config) {
        const bytes = bytesOnDisk(config, options)
        await refuseModelOverQuota({ folder: shardsFolder(home), quotaBytes: options.quotaBytes ?? 0 }, bytes)
        return bytes
      },
    },
    ports,
    signal,
  )
  try {
    const { path, name } = downloaded.place
    const result = await importModel({ ...options, folder: path, name: options.name ?? name }, signal)
    if (!options.keep) await downloaded.remove()
    return result
  } finally {
    await downloaded.release()
  }
}

async function repositoryOf(source: string): Promise<RepositoryName | undefined> {
  if (hasRepositoryPrefix(source)) return parseRepositoryName(source)
  if (!looksLikeRepository(source) || (await stat(source).catch(() => undefined)) !== undefined) return undefined
  return parseRepositoryName(source)
}

/** The address of a hub. Throws HUB_BAD_NAME for anything but http and https without a password. */
export function readEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain =
    url !== undefined && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (isPlain && (url.protocol === 'https:' || url.protocol === 'http:')) return url
  throw new HubError(
    'HUB_BAD_NAME',
    'The address of a hub is like https://huggingface.co, without a name, a password or a question mark.',
  )
}
