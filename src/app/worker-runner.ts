/**
 * A BatchRunner whose engine lives in a worker thread (app/engine-worker.ts, or app/gpu/gpu-worker.ts), so that the event loop only moves
 * messages. A worker that dies fails every request with a coded error; the process lives on. Of the native engine the worker loads
 * the weights only: its stage comes to this thread (app/native-runner.ts).
 * @module
 */
import { Worker } from 'node:worker_threads'
import { milliseconds } from '../base/brand.ts'
import type { ModelConfig } from '../ml/config.ts'
import { rangeOf } from '../ml/manifest.ts'
import type { BatchRunner } from './engine-host.ts'
import { hasNativeEngine, takeNodeNativeStage } from './native-engine.ts'
import { createNativeRunner } from './native-runner.ts'
import { createMailboxMemory, createMailboxSender } from './step-mailbox.ts'
import { createSystem } from './system.ts'
import { linkTo, type WorkerLink } from './worker-link.ts'
import { fromPlainOutput, type WorkerInit } from './worker-messages.ts'

export type WorkerOptions = Omit<WorkerInit, 'mailbox' | 'givesNative'>

/** Starts the worker and waits until its weights are loaded; throws what stopped it. */
export async function createWorkerRunner(options: WorkerOptions): Promise<BatchRunner> {
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const entry = new URL(`./engine-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
  const givesNative = ['auto', 'native'].includes(options.engine) && hasNativeEngine()
  const init: WorkerInit = { ...options, givesNative, mailbox: createMailboxMemory() }
  const worker = new Worker(entry, { workerData: init })
  const { config } = init.model.manifest
  const link = linkTo(worker, createMailboxSender(init.mailbox))
  const started = await link.started
  return started.given === undefined ? runnerOf(link, started, config) : takeStage(init, started.given)
}

/** One that the worker has loaded, for this thread. */
async function takeStage(init: WorkerInit, given: number): Promise<BatchRunner> {
  const { model, firstSegment, lastSegment, threads, cacheBytesMax } = init
  const range = rangeOf(model.manifest, firstSegment, lastSegment)
  const stage = takeNodeNativeStage({ config: model.manifest.config, range, threads, cacheBytesMax, given })
  return createNativeRunner(stage, createSystem())
}

/** Over a worker that has just been started, all by message; throws what stopped it. */
export async function runnerOn(worker: Worker, config: ModelConfig): Promise<BatchRunner> {
  const link = linkTo(worker)
  return runnerOf(link, await link.started, config)
}

type Started = Awaited<WorkerLink['started']>

function runnerOf(link: WorkerLink, { engine, device, weightBytes }: Started, config: ModelConfig): BatchRunner {
  const { ask } = link
  return {
    ...{ engine, device, weightBytes, config },
    openCache: async (capacity, part) => (await ask({ type: 'open-cache', capacity, part }, 'cache')).cache,
    closeCache: async (cache) => void (await ask({ type: 'close-cache', cache }, 'done')),
    shareCache: async (from, to, rows) => void (await ask({ type: 'share-cache', from, to, rows }, 'done')),
    run: async (batch) => {
      const { outputs, computeMs } = await link.run(batch)
      return { outputs: outputs.map(fromPlainOutput), computeMs: milliseconds(computeMs) }
    },
    lost: link.lost,
    close: () => link.close(),
  }
}
