/**
 * A BatchRunner whose engine lives in a worker thread (app/engine-worker.ts), so that the event loop only moves
 * messages. A worker that dies fails every request with a coded error; the process lives on.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { milliseconds } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { EngineError } from '../ml/engine/engine.ts'
import type { BatchRunner } from './engine-host.ts'
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

/** Starts the worker and waits until its weights are loaded; throws what stopped it. */
export async function createWorkerRunner(init: WorkerInit): Promise<BatchRunner> {
  const pending = new Map<number, Pending>()
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const entry = new URL(`./engine-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
  const worker = new Worker(entry, { workerData: init })
  let lost: EngineError | undefined
  let isClosing = false
  const loss = Promise.withResolvers<EngineError>()
  const fail = (why: string) => {
    lost ??= new EngineError('ENGINE_UNAVAILABLE', `The engine stopped: ${why}`)
    if (!isClosing) loss.resolve(lost)
    for (const { reject } of pending.values()) reject(lost)
    pending.clear()
  }
  worker.on('message', ({ id, body }: Numbered<WorkerReply>) => {
    const waiting = pending.get(id)
    pending.delete(id)
    if (body.type === 'error') waiting?.reject(toEngineError(body.error))
    else waiting?.resolve(body)
  })
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
    return reply
  }

  const started = await wait(0, 'started')
  return {
    engine: started.engine,
    weightBytes: started.weightBytes,
    config: init.model.manifest.config,
    openCache: async (capacity) => (await ask({ type: 'open-cache', capacity }, 'cache')).cache,
    closeCache: async (cache) => void (await ask({ type: 'close-cache', cache }, 'done')),
    run: async (batch) => {
      const transfer = buffersOf(batch.map(({ input }) => (input.type === 'hidden' ? input : {})))
      const { outputs, computeMs } = await ask({ type: 'run', batch }, 'outputs', transfer)
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
