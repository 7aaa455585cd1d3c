/**
 * Entry of an engine worker: loads one run of segments into an engine and answers requests, one at a time. This
 * thread may block as long as it computes; the process's event loop is elsewhere.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '../base/assert.ts'
import type { Stage } from '../ml/engine/engine.ts'
import { rangeOf } from '../ml/manifest.ts'
import { createEngine } from './engines.ts'
import { openModelStore } from './model-store.ts'
import { createSystem } from './system.ts'
import {
  buffersOf,
  type Numbered,
  toPlainError,
  toPlainOutput,
  type WorkerInit,
  type WorkerReply,
  type WorkerRequest,
} from './worker-messages.ts'

assert(parentPort, 'this file runs in a worker thread')
const port = parentPort
const { clock } = createSystem()

async function createStage(init: WorkerInit): Promise<Stage> {
  const { model, firstSegment, lastSegment, cacheBytesMax } = init
  const engine = await createEngine(init.engine, { threads: init.threads })
  const weights = openModelStore({ home: init.home }).openWeights(model, firstSegment, lastSegment)
  try {
    const range = rangeOf(model.manifest, firstSegment, lastSegment)
    return engine.createStage({ config: model.manifest.config, range, weights, cacheBytesMax })
  } finally {
    weights.close()
  }
}

function reply(id: number, body: WorkerReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage({ id, body } satisfies Numbered<WorkerReply>, transfer)
}

function answer(id: number, request: WorkerRequest, stage: Stage): void {
  switch (request.type) {
    case 'open-cache':
      reply(id, { type: 'cache', cache: stage.openCache(request.capacity) })
      return
    case 'close-cache':
      stage.closeCache(request.cache)
      reply(id, { type: 'done' })
      return
    case 'run': {
      const startedMs = clock.now()
      const outputs = stage.run(request.batch).map(toPlainOutput)
      const computeMs = clock.now() - startedMs
      reply(
        id,
        { type: 'outputs', outputs, computeMs },
        buffersOf(outputs.filter((output) => output.type !== 'failed')),
      )
      return
    }
    case 'close':
      stage.close()
      reply(id, { type: 'done' })
      port.close()
      return
    default:
      unreachable(request)
  }
}

/** Runs `work`; an expected failure becomes a reply, a bug ends the worker. */
async function guarded(id: number, work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const plain = toPlainError(error)
    if (plain === undefined) throw error
    reply(id, { type: 'error', error: plain })
  }
}

await guarded(0, async () => {
  const init = workerData as WorkerInit
  const stage = await createStage(init)
  port.on('message', ({ id, body }: Numbered<WorkerRequest>) => void guarded(id, () => answer(id, body, stage)))
  reply(0, { type: 'started', weightBytes: stage.weightBytes, engine: init.engine })
})
