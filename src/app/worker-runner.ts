/**
 * A BatchRunner whose engine lives in a worker thread (app/engine-worker.ts), so that the event loop only moves
 * messages. Batches that fit go through shared memory (app/step-mailbox.ts). A worker that dies fails every request with a coded error; the process lives on.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { milliseconds } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { EngineError, type StepInput } from '../ml/engine/engine.ts'
import type { BatchRunner } from './engine-host.ts'
import { createMailboxMemory, createMailboxSender } from './step-mailbox.ts'
import {
  buffersOf,
  fromPlainOutput,
  type Numbered,
  toEngineError,
  type WorkerInit,
  type WorkerReply,
  type WorkerRequest,
} from './worker-messages.ts'

interface Pending {
  readonly resolve: (reply: WorkerReply) => void
  readonly reject: (error: unknown) => void
}

type ReplyOf<Type extends WorkerReply['type']> = Extract<WorkerReply, { type: Type }>

export type WorkerOptions = Omit<WorkerInit, 'mailbox'>

/** Starts the worker and waits until its weights are loaded; throws what stopped it. */
export async function createWorkerRunner(options: WorkerOptions): Promise<BatchRunner> {
  const pending = new Map<number, Pending>()
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const entry = new URL(`./engine-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
  const init: WorkerInit = { ...options, mailbox: createMailboxMemory() }
  const mailbox = createMailboxSender(init.mailbox)
  const worker = new Worker(entry, { workerData: init })
  let lost: EngineError | undefined
  let isClosing = false
  const loss = Promise.withResolvers<EngineError>()
  const fail = (why: string) => {
    lost ??= new EngineError('ENGINE_UNAVAILABLE', `The engine stopped: ${why}`)
    if (!isClosing) loss.resolve(lost)
    for (const { reject } of pending.values()) reject(lost)
    pending.clear()
    mailbox.close()
  }
  /** The request in the mailbox; its answer may come as a message. */
  let mailed: number | undefined
  const settle = ({ id, body }: Numbered<WorkerReply>): void => {
    const waiting = pending.get(id)
    pending.delete(id)
    if (id === mailed) mailed = undefined
    if (body.type === 'error') waiting?.reject(toEngineError(body.error))
    else waiting?.resolve(body)
  }
  worker.on('message', settle)
  mailbox.listen(({ id, outputs, computeMs }) => settle({ id, body: { type: 'outputs', outputs, computeMs } }))
  worker.on('error', (error) => fail(messageOf(error)))
  worker.on('exit', () => fail('its thread ended.'))

  const wait = <Type extends WorkerReply['type']>(id: number, type: Type): Promise<ReplyOf<Type>> =>
    new Promise((resolve, reject) => {
      if (lost) return reject(lost)
      const take = (reply: WorkerReply) => {
        assert(reply.type === type, 'the worker answers what it was asked')
        resolve(reply as ReplyOf<Type>)
      }
      pending.set(id, { resolve: take, reject })
    })

  let nextId = 1
  const ask = <Type extends WorkerReply['type']>(
    body: WorkerRequest,
    type: Type,
    transfer: ArrayBuffer[] = [],
  ): Promise<ReplyOf<Type>> => {
    const id = nextId++
    const reply = wait(id, type)
    worker.postMessage({ id, body } satisfies Numbered<WorkerRequest>, transfer)
    mailbox.ring()
    return reply
  }

  const run = async (batch: readonly StepInput[]): Promise<ReplyOf<'outputs'>> => {
    if (mailed === undefined && lost === undefined && mailbox.put({ id: nextId, batch })) {
      mailed = nextId
      return wait(nextId++, 'outputs')
    }
    const transfer = buffersOf(batch.map(({ input }) => (input.type === 'hidden' ? input : {})))
    return ask({ type: 'run', batch }, 'outputs', transfer)
  }

  const started = await wait(0, 'started')
  return {
    engine: started.engine,
    weightBytes: started.weightBytes,
    config: init.model.manifest.config,
    openCache: async (capacity, part) => (await ask({ type: 'open-cache', capacity, part }, 'cache')).cache,
    closeCache: async (cache) => void (await ask({ type: 'close-cache', cache }, 'done')),
    run: async (batch) => {
      const { outputs, computeMs } = await run(batch)
      return { outputs: outputs.map(fromPlainOutput), computeMs: milliseconds(computeMs) }
    },
    lost: loss.promise,
    close: async () => {
      isClosing = true
      if (!lost) await ask({ type: 'close' }, 'done')
      await worker.terminate()
    },
  }
}
