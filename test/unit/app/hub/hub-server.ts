/**
 * A server on loopback that speaks the part of the hub's HTTP API that downloads need: a model's commit, pages of its files, files
 * by redirect with ranges. Tests tell it what goes wrong.
 * @module
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const COMMIT = 'c0ffee00'.repeat(5)
/** Entries of one page of the list of files. */
const PAGE = 3

export interface SeenRequest {
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** Answers a request instead of the server; false leaves it to the server. */
export type Trouble = (request: SeenRequest, response: ServerResponse) => boolean

export interface HubServer {
  readonly endpoint: string
  readonly seen: readonly SeenRequest[]
  /** Asked before each answer, in this order. */
  readonly troubles: Trouble[]
  /** Contents by name; large ones are in LFS. */
  readonly files: Map<string, Uint8Array>
  /** Hashes and sizes that are listed instead of the true ones. */
  readonly lies: Map<string, Record<string, unknown>>
  close(): Promise<void>
}

/** Files from this size on are in LFS, and come from the path of the content network. */
const LFS_BYTES = 1_000

export async function startHubServer(files: Record<string, Uint8Array>): Promise<HubServer> {
  const contents = new Map(Object.entries(files))
  const lies = new Map<string, Record<string, unknown>>()
  const seen: SeenRequest[] = []
  const troubles: Trouble[] = []
  const server = createServer((request, response) => {
    const { range, authorization } = request.headers
    const one = { path: request.url ?? '', range, authorization }
    seen.push(one)
    if (troubles.some((trouble) => trouble(one, response))) return
    answer(request, response, { contents, lies })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...{ endpoint: `http://127.0.0.1:${port}`, seen, troubles, files: contents, lies },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Contents {
  readonly contents: ReadonlyMap<string, Uint8Array>
  readonly lies: ReadonlyMap<string, Record<string, unknown>>
}

function answer(request: IncomingMessage, response: ServerResponse, { contents, lies }: Contents): void {
  const url = new URL(request.url ?? '', `http://${request.headers.host}`)
  const parts = url.pathname.split('/').slice(1)
  const name = decodeURIComponent(parts.at(-1) ?? '')
  const bytes = contents.get(name)
  if (parts[0] === 'api' && parts[4] === 'revision') {
    json(response, { _id: '1', id: `${parts[2]}/${parts[3]}`, sha: COMMIT, private: false, lastModified: '2026-01-01' })
  } else if (parts[0] === 'api' && parts[4] === 'tree') {
    sendPage(url, response, { contents, lies })
  } else if (bytes === undefined) {
    status(response, 404)
  } else if (parts[2] === 'resolve' && bytes.length >= LFS_BYTES) {
    status(response, 302, { location: `/cdn/${encodeURIComponent(name)}?signature=1` })
  } else {
    send(response, bytes, request.headers.range)
  }
}

function sendPage(url: URL, response: ServerResponse, { contents, lies }: Contents): void {
  const start = Number(url.searchParams.get('cursor') ?? 0)
  const names = [...contents.keys()]
  if (start + PAGE < names.length) {
    url.searchParams.set('cursor', String(start + PAGE))
    response.setHeader('link', `<${url.href}>; rel="next"`)
  }
  json(
    response,
    names.slice(start, start + PAGE).map((name) => entryOf(name, contents.get(name)!, lies.get(name))),
  )
}

function entryOf(path: string, bytes: Uint8Array, lie: Record<string, unknown> = {}): unknown {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
  const lfs = { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 134 }
  return { type: 'file', path, size: bytes.length, oid, ...(bytes.length >= LFS_BYTES ? { lfs } : {}), ...lie }
}

/** The bytes, or those of a range that has no end. */
export function send(response: ServerResponse, bytes: Uint8Array, range: string | undefined): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  response.setHeader('content-type', 'application/octet-stream')
  response.setHeader('content-length', bytes.length - from)
  if (range !== undefined) response.setHeader('content-range', `bytes ${from}-${bytes.length - 1}/${bytes.length}`)
  response.statusCode = range === undefined ? 200 : 206
  response.end(bytes.subarray(from))
}

export function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(value))
}

export function html(response: ServerResponse): void {
  response.setHeader('content-type', 'text/html')
  response.end('<!doctype html><title>Sign in</title>')
}

export function status(response: ServerResponse, code: number, headers: Record<string, string> = {}): void {
  response.writeHead(code, headers)
  response.end()
}

/** Sends `bytes` of the body, then ends the connection. */
export function cut(
  response: ServerResponse,
  bytes: Uint8Array,
  { from, count }: { from: number; count: number },
): void {
  const headers: Record<string, string | number> = { 'content-length': bytes.length - from }
  if (from > 0) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  response.writeHead(from > 0 ? 206 : 200, headers)
  response.write(bytes.subarray(from, from + count), () => response.destroy())
}

/** Goes wrong for the first `times` requests whose path has `part`. */
export function troubleFor(
  part: string,
  times: number,
  act: (request: SeenRequest, response: ServerResponse) => void,
): Trouble {
  let left = times
  return (request, response) => {
    if (!request.path.includes(part) || left === 0) return false
    left -= 1
    act(request, response)
    return true
  }
}
