/**
 * A thread of its own for what downloads bring: it holds the bulk links, compares chunks with their leaves and writes them.
 * Spec: docs/spec/shards.md §5.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../base/error.ts'
import { abortable } from '../../net/channel.ts'
import { type BulkLink, type LinkChunk, type LinkDialler, LinkError, type LinkPlace } from './bulk-link.ts'
import type { ChunkKeeper } from './chunk-keeper.ts'
import type { ChunkOutcome, ChunkTarget } from './chunk-source.ts'
import { type Caller, createCaller } from './thread-calls.ts'

/** Of one process: all its sources share it. */
export interface FetchThread extends ChunkKeeper, LinkDialler {
  close(): Promise<void>
}

/** What the thread does when asked. Numbers of links and chunks are this side's. */
export type FetchThreadCalls = {
  keep(index: number, into: ChunkTarget, bytes: Uint8Array): Promise<boolean>
  open(id: number, place: LinkPlace): Promise<void>
  fetch(id: number, link: number, chunk: LinkChunk): Promise<{ outcome: ChunkOutcome; bytesReceived: number }>
  leave(id: number): void
  closeLink(id: number): void
}

interface StartedThread {
  readonly worker: Worker
  readonly thread: Caller<FetchThreadCalls>
}

/** The thread starts with the first call, and anew with the first one after it has failed. */
export function createFetchThread(): FetchThread {
  let started: StartedThread | undefined
  let isClosed = false
  let nextId = 0
  const thread = (): Caller<FetchThreadCalls> => {
    started ??= start((ended) => {
      if (!isClosed && started?.worker === ended) started = undefined
    })
    return started.thread
  }
  return {
    keep(index, into, bytes) {
      // A view of a part of a larger buffer is copied.
      const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
      return thread().call('keep', [index, into, bytes], isWhole ? [bytes.buffer as ArrayBuffer] : [])
    },
    async open(place, signal) {
      const id = nextId++
      const caller = thread()
      const opening = caller.call('open', [id, place])
      try {
        await left(opening, { thread: caller, id, signal })
      } catch (error) {
        void caller.call('closeLink', [id]).catch(() => undefined)
        throw error
      }
      return createLink(caller, { id, newId: () => nextId++ })
    },
    async close() {
      isClosed = true
      await started?.worker.terminate()
    },
  }
}

function start(onEnd: (worker: Worker) => void): StartedThread {
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  const worker = new Worker(new URL(`./link-client-worker${ending}`, import.meta.url))
  const thread = createCaller<FetchThreadCalls>(worker, {})
  const fail = (why: string): void => {
    thread.fail(new LinkError('LINK_LOST', `The thread that fetches has ended: ${why}`))
    onEnd(worker)
  }
  worker.on('error', (error) => fail(messageOf(error)))
  worker.on('exit', () => fail('it was closed.'))
  worker.unref()
  return { worker, thread }
}

function createLink(
  thread: Caller<FetchThreadCalls>,
  { id: link, newId }: { readonly id: number; readonly newId: () => number },
): BulkLink {
  let bytesReceived = 0
  return {
    get bytesReceived() {
      return bytesReceived
    },
    async fetch(chunk, signal) {
      signal.throwIfAborted()
      const id = newId()
      const answer = await left(thread.call('fetch', [id, link, chunk]), { thread, id, signal })
      bytesReceived = answer.bytesReceived
      return answer.outcome
    },
    close: () => void thread.call('closeLink', [link]).catch(() => undefined),
  }
}

/** What is waited for; when the signal fires, the thread leaves it. */
async function left<Value>(
  work: Promise<Value>,
  {
    thread,
    id,
    signal,
  }: { readonly thread: Caller<FetchThreadCalls>; readonly id: number; readonly signal: AbortSignal },
): Promise<Value> {
  // What becomes of it after it was left is no matter.
  work.catch(() => undefined)
  const leave = (): void => void thread.call('leave', [id]).catch(() => undefined)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await abortable(work, signal)
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
