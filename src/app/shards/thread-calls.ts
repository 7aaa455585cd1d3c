/**
 * Calls between two threads: each names procedures that the other may call, and gets their results or their errors with code and details.
 * @module
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { HouseError, messageOf } from '../../base/error.ts'
import { type PlainError, toPlainError } from '../worker-messages.ts'

/** By name; arguments and results are plain data. */
export type Procedures = Readonly<Record<string, (...parts: never[]) => unknown>>

export interface Caller<Remote extends Procedures> {
  /** `transfer`: buffers that move to the other thread instead of being copied. Rejects with the procedure's error, or when the thread is gone. */
  call<Name extends keyof Remote & string>(
    name: Name,
    parts: Parameters<Remote[Name]>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<Awaited<ReturnType<Remote[Name]>>>
  /** Fails what is under way and what is called from now on. */
  fail(error: Error): void
}

type Message =
  | { readonly type: 'call'; readonly id: number; readonly name: string; readonly parts: readonly never[] }
  | { readonly type: 'value'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: PlainError | string }

interface Waiting {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** Serves `own` to the thread behind the port, which does the same. */
export function createCaller<Remote extends Procedures>(port: MessagePort | Worker, own: Procedures): Caller<Remote> {
  const waiting = new Map<number, Waiting>()
  let failure: Error | undefined
  let nextId = 0
  const post = (message: Message, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, [...transfer])
  const serve = async ({ id, name, parts }: Extract<Message, { type: 'call' }>): Promise<void> => {
    const procedure = own[name]
    assert(procedure, `the other thread may call ${name}`)
    try {
      post({ type: 'value', id, value: await procedure(...parts) })
    } catch (error) {
      post({ type: 'error', id, error: toPlainError(error) ?? messageOf(error) })
    }
  }
  const settle = (message: Exclude<Message, { type: 'call' }>): void => {
    const entry = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.type === 'value') entry?.resolve(message.value as never)
    else entry?.reject(errorOf(message.error))
  }
  port.on('message', (message: Message) => (message.type === 'call' ? void serve(message) : settle(message)))
  return {
    call(name, parts, transfer) {
      return new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure)
        const id = nextId++
        waiting.set(id, { resolve: resolve as Waiting['resolve'], reject })
        post({ type: 'call', id, name, parts: parts as readonly never[] }, transfer)
      })
    },
    fail(error) {
      failure ??= error
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    },
  }
}

/** Its class does not survive the way; its code does. */
function errorOf(error: PlainError | string): Error {
  if (typeof error === 'string') return new Error(error)
  return new HouseError(error.code, error.message, { details: error.details })
}
