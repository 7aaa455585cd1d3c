/**
 * What a repository holds at one commit: files of its top folder with their sizes and hashes. The API's addresses and forms are
 * @huggingface/hub's; what comes through them is bounded and checked here. Spec: docs/spec/model.md §11.
 * @module
 */
import { messageOf } from '../../base/error.ts'
import { HUB_LIMITS } from '../../base/limits.ts'
import { type JsonFields, readFields } from '../../ml/json-fields.ts'
import { isPlainFileName } from '../../ml/model-names.ts'
import type { HubError } from './hub-error.ts'
import { badAnswer, type HubHttp } from './hub-http.ts'
import type { RepositoryName } from './repository-name.ts'

/** What the bytes of a file must hash to. */
export interface FileHash {
  /** Of the bytes, or of git's header and the bytes. */
  readonly type: 'sha256' | 'git'
  /** Hexadecimal. */
  readonly hex: string
}

export interface RemoteFile {
  readonly name: string
  readonly bytes: number
  readonly hash: FileHash
}

export interface Repository {
  readonly id: string
  /** The commit, so that all files are of one. */
  readonly commit: string
  /** Files of the top folder whose names can be files here. */
  readonly files: readonly RemoteFile[]
}

const COMMIT = /^[0-9a-f]{40}$/
const SHA256 = /^[0-9a-f]{64}$/

/** Asks the hub. Throws HubError. */
export async function listRepository(repository: RepositoryName, http: HubHttp): Promise<Repository> {
  const { modelInfo, listFiles } = await import('@huggingface/hub')
  const { endpoint } = http.access
  const options = { hubUrl: endpoint.href.replace(/\/$/, ''), fetch: createJsonFetch(http) }
  const { id } = repository
  try {
    const { sha } = await modelInfo({ ...options, name: id, revision: repository.revision, additionalFields: ['sha'] })
    const commit = readCommit(sha, endpoint)
    const files: RemoteFile[] = []
    for await (const entry of listFiles({ ...options, repo: id, revision: commit })) {
      const file = readRemoteFile(entry, endpoint)
      if (file !== undefined) files.push(file)
      if (files.length > HUB_LIMITS.filesMax) throw badAnswer(endpoint, 'lists more files than a model has')
    }
    return { id, commit, files }
  } catch (error) {
    // The library reads fields before anybody has looked at them.
    if (error instanceof TypeError || error instanceof SyntaxError)
      throw badAnswer(endpoint, `says what no hub says (${messageOf(error)})`)
    throw error
  }
}

/** Address of a file at a commit. */
export function fileUrl({ id, commit }: Pick<Repository, 'id' | 'commit'>, name: string, endpoint: URL): URL {
  return new URL(`${endpoint.href.replace(/\/$/, '')}/${id}/resolve/${commit}/${encodeURIComponent(name)}`)
}

/** `fetch` for the library: JSON of bounded size from the hub's own origin. */
function createJsonFetch(http: HubHttp): typeof fetch {
  let requests = 0
  return async (input) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    const { endpoint } = http.access
    if (url.origin !== endpoint.origin) throw badAnswer(endpoint, 'sends its list to another server')
    if (++requests > HUB_LIMITS.pagesMax) throw badAnswer(endpoint, 'has a list without end')
    const answer = await http.get(url, { accept: 'application/json' })
    const { headers } = answer.response
    if (!headers.get('content-type')?.includes('json')) {
      answer.end()
      throw badAnswer(endpoint, 'answers with something other than JSON')
    }
    const pieces: Uint8Array[] = []
    let bytes = 0
    for await (const piece of answer.body()) {
      bytes += piece.length
      if (bytes > HUB_LIMITS.answerBytesMax) {
        answer.end()
        throw badAnswer(endpoint, 'answers without end')
      }
      pieces.push(piece)
    }
    return new Response(Buffer.concat(pieces), { headers })
  }
}

function readCommit(sha: unknown, endpoint: URL): string {
  if (typeof sha === 'string' && COMMIT.test(sha)) return sha
  throw badAnswer(endpoint, 'names no commit of the model')
}

/** One entry of a list; undefined for what is no file that can lie in a folder here. Throws HUB_BAD_ANSWER. */
export function readRemoteFile(entry: unknown, endpoint: URL): RemoteFile | undefined {
  const fail = (problem: string): HubError => badAnswer(endpoint, `lists a file that is none: ${problem}`)
  const fields = readFields(entry, fail)
  if (fields.text('type') !== 'file') return undefined
  const name = fields.text('path')
  // Dot files and folders are no part of a model, and nothing may lead out of the folder.
  if (!isPlainFileName(name)) return undefined
  return { name, bytes: fields.integer('size', { min: 0, max: HUB_LIMITS.fileBytesMax }), hash: readHash(fields, fail) }
}

function readHash(fields: JsonFields, fail: (problem: string) => HubError): FileHash {
  if (!fields.has('lfs')) {
    const hex = fields.text('oid')
    if (!COMMIT.test(hex)) throw fail('its hash is none')
    return { type: 'git', hex }
  }
  const lfs = fields.object('lfs')
  const hex = lfs.text('oid')
  if (!SHA256.test(hex) || lfs.raw('size') !== fields.raw('size')) throw fail('its hash is none')
  return { type: 'sha256', hex }
}
