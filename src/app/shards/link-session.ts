/**
 * One bulk link that has shown its ticket: requests come in, chunks go out one after the other, the next one read while one is written.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import type { Socket } from 'node:net'
import { milliseconds } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { CHUNK_BYTES, chunkLength } from '../../ml/chunk-tree.ts'
import { readChunk } from './chunk-hash.ts'
import type { Locator } from './file-locator.ts'
import {
  decodeLinkRequest,
  encodeLinkHead,
  LINK_HEAD_BYTES,
  LINK_REQUEST_BYTES,
  type LinkRequest,
} from './link-frames.ts'
import type { ServedCheck } from './served-check.ts'
import { createSharedFiles } from './shared-files.ts'

export interface LinkSessionPorts {
  readonly clock: Clock
  readonly locator: Locator
  readonly check: ServedCheck
  take(bytes: number): Promise<void>
  readonly isCapped: Int32Array
}

type ChunkRequest = Extract<LinkRequest, { type: 'chunk' }>

/** A head, and the chunk behind it if there is one. */
interface Answer {
  readonly bytes: Uint8Array
  /** Gives the buffer back. */
  readonly done: () => void
}

const files = createSharedFiles('r')
/** Of a head and a chunk. */
const spare: Uint8Array[] = []

/** Until the socket is closed. */
export function serveLink(socket: Socket, ports: LinkSessionPorts): void {
  /** Requests that wait, in their order; undefined: left. */
  const waiting = new Map<number, ChunkRequest | undefined>()
  const idle = createIdleTimer(socket, ports.clock)
  let isBusy = false

  const next = (): Promise<Answer> | undefined => {
    for (const [id, request] of waiting) {
      waiting.delete(id)
      return request === undefined ? Promise.resolve(absent(id)) : answerTo(request, ports)
    }
    return undefined
  }
  const run = async (): Promise<void> => {
    isBusy = true
    for (let coming = next(); coming !== undefined && !socket.destroyed; ) {
      const answer = await coming
      coming = next()
      await write(socket, answer.bytes, ports)
      answer.done()
      idle.touch()
      coming ??= next()
    }
    isBusy = false
  }
  const take = (bytes: Uint8Array): boolean => {
    const request = requestIn(bytes)
    if (request === undefined) return false
    if (request.type === 'leave') {
      if (waiting.has(request.id)) waiting.set(request.id, undefined)
      return true
    }
    if (waiting.has(request.id) || waiting.size >= SHARD_LIMITS.questionsMax) return false
    waiting.set(request.id, request)
    return true
  }
  const onReadable = (): void => {
    idle.touch()
    for (let bytes = socket.read(LINK_REQUEST_BYTES); bytes !== null; bytes = socket.read(LINK_REQUEST_BYTES)) {
      // The last bytes of a socket that ends may be fewer.
      if (bytes.length === LINK_REQUEST_BYTES && take(bytes)) continue
      // Nobody is judged: anybody between could have sent it.
      socket.destroy()
      return
    }
    if (!isBusy) run().catch(() => socket.destroy())
  }
  socket.on('readable', onReadable)
  onReadable()
}

function requestIn(bytes: Uint8Array): LinkRequest | undefined {
  try {
    return decodeLinkRequest(bytes)
  } catch {
    return undefined
  }
}

function absent(id: number): Answer {
  return { bytes: encodeLinkHead({ id, length: 0 }), done: () => undefined }
}

/** Twice, as an unfinished file gets another name when it is whole. What cannot be read is absent. */
async function answerTo({ id, root, index }: ChunkRequest, { locator, check }: LinkSessionPorts): Promise<Answer> {
  for (let attempt = 0; attempt < 2; attempt++) {
    const file = await locator.withChunk(root, index).catch(() => undefined)
    if (file === undefined) return absent(id)
    const length = chunkLength(file.bytes, index)
    const buffer = spare.pop() ?? new Uint8Array(LINK_HEAD_BYTES + CHUNK_BYTES)
    const done = (): void => {
      if (spare.length < SHARD_LIMITS.linkChunksMax) spare.push(buffer)
    }
    const chunk = buffer.subarray(LINK_HEAD_BYTES, LINK_HEAD_BYTES + length)
    const read = await files.use(file.path, (handle) => readChunk(handle, chunk, index)).catch(() => undefined)
    buffer.set(encodeLinkHead({ id, length }))
    const isRight = read === length && (await check.isRight(root, file, { index, bytes: chunk }).catch(() => false))
    if (isRight) return { bytes: buffer.subarray(0, LINK_HEAD_BYTES + length), done }
    done()
    locator.forget(root)
  }
  return absent(id)
}

/** Resolves when all of it has left this process. */
async function write(socket: Socket, bytes: Uint8Array, { isCapped, take }: LinkSessionPorts): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const hasCap = Atomics.load(isCapped, 0) !== 0
    const to = hasCap ? Math.min(bytes.length, from + SHARD_LIMITS.pieceBytesMax) : bytes.length
    if (hasCap) await take(to - from)
    await writeOut(socket, bytes.subarray(from, to))
    from = to
  }
}

function writeOut(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

/** Ends the link when nothing was asked or taken for too long. */
function createIdleTimer(socket: Socket, clock: Clock): { touch(): void } {
  let touchedMs = clock.now()
  let cancel = (): void => undefined
  const watch = (forMs: number): void => {
    cancel = clock.schedule(milliseconds(forMs), () => {
      const leftMs = touchedMs + DEADLINES.shardIdleMs - clock.now()
      if (leftMs <= 0) socket.destroy()
      else watch(leftMs)
    })
  }
  socket.on('close', () => cancel())
  watch(DEADLINES.shardIdleMs)
  return {
    touch() {
      touchedMs = clock.now()
    },
  }
}
