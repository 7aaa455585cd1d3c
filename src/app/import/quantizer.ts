/**
 * Quantising on several threads: blocks are independent of each other, so that the result is the same on any number of them.
 * Spec: docs/spec/model.md §5.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../base/error.ts'
import type { WeightFormat } from '../../ml/config.ts'
import { quantizeRows } from '../../ml/quantize.ts'
import { partsOfMatrix } from '../../ml/shard-file.ts'

export interface QuantizeJob {
  readonly format: WeightFormat
  /** Rows of f32; not the caller's any more. */
  readonly values: Float32Array
  readonly columns: number
}

export interface Quantizer {
  /** Blocks that keep it busy; more only wait. */
  readonly blocksAtOnce: number
  /** The arrays of the block, in the order of a shard's parts. */
  quantize(job: QuantizeJob): Promise<Uint8Array[]>
  close(): Promise<void>
}

/** One block is at a thread while the next one is read. */
const BLOCKS_PER_THREAD = 2
/** This file is .ts in the sources and .js in dist, and so is the entry beside it. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? 'quantize-worker.ts' : 'quantize-worker.js', import.meta.url)

/** With one thread, that is this one. */
export function createQuantizer(threads: number): Quantizer {
  const helpers = threads > 1 ? Array.from({ length: threads }, startHelper) : []
  return {
    blocksAtOnce: threads * BLOCKS_PER_THREAD,
    async quantize(job) {
      const [first, ...others] = helpers
      if (first === undefined) return partsOfMatrix(quantizeRows(job.format, job.values, job.columns))
      return others
        .reduce((least, helper) => (helper.waiting() < least.waiting() ? helper : least), first)
        .quantize(job)
    },
    close: async () => {
      await Promise.all(helpers.map((helper) => helper.close()))
    },
  }
}

interface Helper extends Pick<Quantizer, 'quantize' | 'close'> {
  /** Blocks that it was given and has not given back. */
  waiting(): number
}

interface Waiting {
  readonly resolve: (parts: Uint8Array[]) => void
  readonly reject: (error: Error) => void
}

function startHelper(): Helper {
  // Flags of the parent's own command line (a loader, an inspector) do not concern this thread.
  const worker = new Worker(ENTRY, { execArgv: [] })
  worker.unref()
  const queue: Waiting[] = []
  let lost: Error | undefined
  const lose = (why: string): void => {
    lost ??= new Error(`a thread that quantises ended: ${why}`)
    for (const { reject } of queue.splice(0)) reject(lost)
  }
  worker.on('message', (parts: Uint8Array[]) => queue.shift()?.resolve(parts))
  worker.on('error', (error) => lose(messageOf(error)))
  worker.on('exit', () => lose('nobody asked it to'))
  return {
    waiting: () => queue.length,
    quantize: ({ values, ...job }) =>
      new Promise((resolve, reject) => {
        if (lost !== undefined) return reject(lost)
        queue.push({ resolve, reject })
        const own = values.byteLength === values.buffer.byteLength ? values : values.slice()
        worker.postMessage({ ...job, values: own } satisfies QuantizeJob, [own.buffer as ArrayBuffer])
      }),
    close: async () => {
      worker.removeAllListeners('exit')
      await worker.terminate()
    },
  }
}
