/**
 * A bulk link in the thread that calls it: bytes go from the socket into the place of their chunk without being copied, are compared with the leaf and
 * written. A server that breaks the rules or is too slow loses the link; it is judged by nobody, because anybody between could have done it.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import { connect, type Socket } from 'node:net'
import { milliseconds } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import { withDeadline } from '../../net/deadline.ts'
import { type BulkLink, type LinkChunk, type LinkDialler, LinkError, type LinkPlace } from './bulk-link.ts'
import type { ChunkKeeper } from './chunk-keeper.ts'
import type { ChunkOutcome } from './chunk-source.ts'
import { decodeLinkHead, encodeLinkRequest, LINK_GREETING, LINK_HEAD_BYTES } from './link-frames.ts'
import { createProgressWatch, type ProgressWatch } from './progress-watch.ts'

export interface LinkPorts {
  readonly keeper: ChunkKeeper
  readonly clock: Clock
}

export function createLinkDialler(ports: LinkPorts): LinkDialler {
  return {
    async open(place, signal) {
      const link = new LinkClient(place, ports)
      const late = () => new LinkError('LINK_UNREACHABLE', 'No bulk link was there in time.')
      try {
        await withDeadline({ clock: ports.clock, limitMs: DEADLINES.linkOpenMs, late, signal }, () => link.greeted)
        return link
      } catch (error) {
        link.close()
        throw error
      }
    },
  }
}

interface Pending extends LinkChunk {
  /** Nobody waits for it any more. */
  isLeft: boolean
  /** Its deadline is over with its head. */
  readonly answered: () => void
  readonly settle: (outcome: ChunkOutcome) => void
  readonly fail: (error: unknown) => void
}

class LinkClient implements BulkLink {
  /** Resolves when the server has shown that it is one, and takes our ticket. */
  readonly greeted: Promise<void>
  readonly #socket: Socket
  readonly #ticket: Uint8Array
  readonly #clock: Clock
  readonly #keeper: ChunkKeeper
  readonly #watch: ProgressWatch
  /** Requests without an answer, by number; also those that nobody waits for any more. */
  readonly #pending = new Map<number, Pending>()
  readonly #greeted = Promise.withResolvers<void>()
  /** What the socket fills: the greeting, a head, or a chunk. */
  #buffer: Uint8Array = new Uint8Array(LINK_GREETING.length)
  #filled = 0
  /** Whose chunk the buffer is; undefined: the buffer is a head. */
  #current: Pending | undefined
  /** Once when it begins, once when our ticket is good. */
  #greetings = 0
  #lost: LinkError | undefined
  #nextId = 0
  #bytesReceived = 0

  constructor(place: LinkPlace, { keeper, clock }: LinkPorts) {
    this.#ticket = place.ticket
    this.#clock = clock
    this.#keeper = keeper
    this.#watch = createProgressWatch(clock, () => this.#end('it is too slow'))
    this.greeted = this.#greeted.promise
    this.greeted.catch(() => undefined)
    this.#socket = connect({
      host: place.host,
      port: place.port,
      noDelay: true,
      onread: {
        buffer: () => this.#buffer.subarray(this.#filled),
        callback: (count) => this.#onBytes(count),
      },
    })
    this.#socket.on('error', (error) => this.#end(messageOf(error)))
    this.#socket.on('close', () => this.#end('the connection has ended'))
    this.#socket.on('end', () => this.#end('the connection has ended'))
  }

  get bytesReceived(): number {
    return this.#bytesReceived
  }

  async fetch(chunk: LinkChunk, signal: AbortSignal): Promise<ChunkOutcome> {
    signal.throwIfAborted()
    if (this.#pending.size >= SHARD_LIMITS.questionsMax) this.#end('it owes too much')
    if (this.#lost !== undefined) throw this.#lost
    const id = this.#nextId++
    const { promise, resolve, reject } = Promise.withResolvers<ChunkOutcome>()
    const cancel = this.#clock.schedule(milliseconds(DEADLINES.shardChunkMs), () => this.#end('it does not answer'))
    const pending: Pending = { ...chunk, isLeft: false, answered: cancel, settle: resolve, fail: reject }
    this.#pending.set(id, pending)
    this.#watch.owes(true)
    this.#socket.write(encodeLinkRequest({ type: 'chunk', id, root: chunk.root, index: chunk.index }))
    const leave = (): void => {
      pending.isLeft = true
      reject(signal.reason)
      if (this.#lost === undefined) this.#socket.write(encodeLinkRequest({ type: 'leave', id }))
    }
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  close(): void {
    this.#end('it was closed here')
  }

  #onBytes(count: number): boolean {
    this.#filled += count
    if (this.#current !== undefined) {
      this.#bytesReceived += count
      this.#watch.came(count)
    }
    if (this.#filled === this.#buffer.length) this.#onFull()
    return this.#lost === undefined
  }

  #onFull(): void {
    const full = this.#buffer
    const current = this.#current
    this.#current = undefined
    this.#expect(new Uint8Array(LINK_HEAD_BYTES))
    const problem = current === undefined ? this.#onShort(full) : undefined
    if (problem !== undefined) this.#end(problem)
    if (current !== undefined) void this.#keep(current, full)
  }

  #expect(buffer: Uint8Array): void {
    this.#buffer = buffer
    this.#filled = 0
  }

  /** The greeting or a head. What is wrong with it, or undefined. */
  #onShort(bytes: Uint8Array): string | undefined {
    if (this.#greetings === 2) return this.#onHead(bytes)
    if (Buffer.compare(bytes, LINK_GREETING) !== 0) return 'it is no bulk link'
    this.#greetings++
    if (this.#greetings === 1) this.#socket.write(this.#ticket)
    else this.#greeted.resolve()
    this.#expect(new Uint8Array(this.#greetings === 1 ? LINK_GREETING.length : LINK_HEAD_BYTES))
    return undefined
  }

  #onHead(bytes: Uint8Array): string | undefined {
    const head = headIn(bytes)
    const pending = head && this.#pending.get(head.id)
    if (head === undefined || pending === undefined) return 'it answers what it was not asked'
    if (head.length !== 0 && head.length !== pending.length) return 'its chunk is not as long as it must be'
    this.#pending.delete(head.id)
    pending.answered()
    if (head.length === 0) {
      pending.settle('absent')
      this.#watch.owes(this.#pending.size > 0)
    } else {
      this.#current = pending
      this.#expect(new Uint8Array(head.length))
    }
    return undefined
  }

  async #keep({ index, into, isLeft, settle, fail }: Pending, bytes: Uint8Array): Promise<void> {
    this.#watch.owes(this.#pending.size > 0)
    if (isLeft) return
    try {
      settle((await this.#keeper.keep(index, into, bytes)) ? 'stored' : 'bad')
    } catch (error) {
      fail(error)
    }
  }

  #end(why: string): void {
    if (this.#lost !== undefined) return
    this.#lost = new LinkError('LINK_LOST', `The bulk link is gone: ${why}.`)
    this.#greeted.reject(new LinkError('LINK_UNREACHABLE', `There is no bulk link: ${why}.`))
    this.#watch.close()
    this.#current?.fail(this.#lost)
    for (const { answered, fail } of this.#pending.values()) {
      answered()
      fail(this.#lost)
    }
    this.#pending.clear()
    this.#socket.destroy()
  }
}

function headIn(bytes: Uint8Array): ReturnType<typeof decodeLinkHead> | undefined {
  try {
    return decodeLinkHead(bytes)
  } catch {
    return undefined
  }
}
