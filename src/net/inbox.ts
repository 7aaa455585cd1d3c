/**
 * Inbox: the received messages of one channel that nobody has read yet. Bounded, one reader at a time; a wait that is
 * aborted loses nothing. Knows nothing of frames or peers.
 * Spec: docs/spec/wire.md §2.2.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { WireError } from './wire.ts'

export interface Inbox {
  /** False when the message would pass a bound: the reader is too far behind. Ignored after `end` or `fail`. */
  push(message: Uint8Array): boolean
  /** No more messages will come; `receive` gives undefined once the queue is read. */
  end(): void
  /** `receive` rejects with `error`, after the queued messages unless `drop`. Ignored after `end`, unless `drop`. */
  fail(error: WireError, drop: boolean): void
  readonly ended: boolean
  receive(signal?: AbortSignal): Promise<Uint8Array | undefined>
}

export interface InboxLimits {
  readonly messagesMax: number
  readonly bytesMax: number
}

interface Waiter {
  readonly resolve: (message: Uint8Array | undefined) => void
  readonly reject: (reason: unknown) => void
}

export function createInbox(limits: InboxLimits): Inbox {
  const queue: Uint8Array[] = []
  let queuedBytes = 0
  let ended = false
  let failure: WireError | undefined
  let waiter: Waiter | undefined

  function push(message: Uint8Array): boolean {
    if (ended || failure) return true
    if (waiter) {
      waiter.resolve(message)
      return true
    }
    if (queue.length >= limits.messagesMax || queuedBytes + message.length > limits.bytesMax) return false
    queue.push(message)
    queuedBytes += message.length
    return true
  }

  function end(): void {
    if (failure) return
    ended = true
    waiter?.resolve(undefined)
  }

  function fail(error: WireError, drop: boolean): void {
    if (failure || (ended && !drop)) return
    failure = error
    if (drop) {
      queue.length = 0
      queuedBytes = 0
    }
    waiter?.reject(error)
  }

  async function receive(signal?: AbortSignal): Promise<Uint8Array | undefined> {
    assert(waiter === undefined, 'a channel has one reader at a time')
    signal?.throwIfAborted()
    const message = queue.shift()
    if (message) {
      queuedBytes -= message.length
      return message
    }
    if (failure) throw failure
    if (ended) return undefined
    return await wait(signal)
  }

  function wait(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter?.reject(signal?.reason)
      const leave = (): void => {
        waiter = undefined
        signal?.removeEventListener('abort', onAbort)
      }
      waiter = {
        resolve: (message) => {
          leave()
          resolve(message)
        },
        reject: (reason) => {
          leave()
          reject(reason)
        },
      }
      signal?.addEventListener('abort', onAbort)
    })
  }

  return {
    push,
    end,
    fail,
    receive,
    get ended() {
      return ended && !failure
    },
  }
}
