/**
 * A BatchRunner whose engine lives in a worker thread (app/engine-worker.ts, or app/gpu/gpu-worker.ts), so that the event loop only moves
 * messages. A worker that dies fails every request with a coded error; the process lives on.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { milliseconds } from '../base/brand.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { BatchRunner } from './engine-host.ts'
import { createMailboxMemory, createMailboxSender, type MailboxSender } from './step-mailbox.ts'
import { linkTo } from './worker-link.ts'
import { fromPlainOutput, type WorkerInit } from './worker-messages.ts'

export type WorkerOptions = Omit<WorkerInit, 'mailbox'>

/** Starts the worker and waits until its weights are loaded; throws what stopped it. */
export async function createWorkerRunner(options: WorkerOptions): Promise<BatchRunner> {
  // Beside this file, with its ending: .ts from sources, .js from dist.
  const entry = new URL(`./engine-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
  const init: WorkerInit = { ...options, mailbox: createMailboxMemory() }
  const worker = new Worker(entry, { workerData: init })
  return runnerOn(worker, { config: init.model.manifest.config, mailbox: createMailboxSender(init.mailbox) })
}

export interface RunnerParts {
  readonly config: ModelConfig
  /** Default: all goes by message. */
  readonly mailbox?: MailboxSender
}

/** Over a worker that has just been started; throws what stopped it. */
export async function runnerOn(worker: Worker, { config, mailbox }: RunnerParts): Promise<BatchRunner> {
  const link = linkTo(worker, mailbox)
  const { ask } = link
  const { engine, device, weightBytes } = await link.started
  return {
    ...{ engine, device, weightBytes, config },
    openCache: async (capacity, part) => (await ask({ type: 'open-cache', capacity, part }, 'cache')).cache,
    closeCache: async (cache) => void (await ask({ type: 'close-cache', cache }, 'done')),
    run: async (batch) => {
      const { outputs, computeMs } = await link.run(batch)
      return { outputs: outputs.map(fromPlainOutput), computeMs: milliseconds(computeMs) }
    },
    lost: link.lost,
    close: () => link.close(),
  }
}
