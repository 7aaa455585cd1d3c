/**
 * Read bandwidth of main memory, by one thread and by many at once: the ceiling of decoding, which reads every weight
 * once per token. Runs in threads of its own, so that the event loop stays free. Takes about a second.
 * @module
 */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { READ_STRIDE_BYTES } from './read-kernel.ts'
import { type SharedMemory, webAssembly } from './webassembly.ts'

export interface BandwidthTask {
  readonly memory: SharedMemory
  /** Byte offsets of this thread's part. */
  readonly begin: number
  readonly end: number
}

export interface Bandwidth {
  readonly oneThreadBytesPerSecond: number
  readonly allThreadsBytesPerSecond: number
  readonly threads: number
  /** Read per pass, all threads together; several times the largest caches. */
  readonly bufferBytes: number
}

const WASM_PAGE_BYTES = 65_536
const MIB = 1024 * 1024
const BUFFER_BYTES_MAX = 512 * MIB
const BUFFER_BYTES_MIN = 32 * MIB
/** More threads do not read faster on machines of one socket. */
const THREADS_MAX = 16
const RUN_MS = 150
/** The better of them counts: other programs only ever make a run slower. */
const RUNS = 2

/** Worker files have the extension of this one: `.ts` from sources, `.js` when built. */
const WORKER_FILE = new URL(`./bandwidth-worker${import.meta.url.slice(-3)}`, import.meta.url)

export async function measureBandwidth(): Promise<Bandwidth> {
  const threads = Math.min(availableParallelism(), THREADS_MAX)
  const bufferBytes = bufferSize(process.availableMemory())
  const memory = new webAssembly.Memory({
    initial: bufferBytes / WASM_PAGE_BYTES,
    maximum: WASM_PAGE_BYTES,
    shared: true,
  })
  const partBytes = Math.floor(bufferBytes / threads / READ_STRIDE_BYTES) * READ_STRIDE_BYTES
  const workers = Array.from({ length: threads }, (_value, index) => {
    const workerData: BandwidthTask = { memory, begin: index * partBytes, end: (index + 1) * partBytes }
    return new Worker(WORKER_FILE, { workerData })
  })
  try {
    await Promise.all(workers.map((worker) => answer(worker)))
    const oneThreadBytesPerSecond = await best(workers.slice(0, 1))
    const allThreadsBytesPerSecond = threads === 1 ? oneThreadBytesPerSecond : await best(workers)
    return { oneThreadBytesPerSecond, allThreadsBytesPerSecond, threads, bufferBytes: partBytes * threads }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** A quarter of what is free, in whole pages, within the bounds. */
function bufferSize(freeBytes: number): number {
  const wanted = Math.min(BUFFER_BYTES_MAX, Math.max(BUFFER_BYTES_MIN, freeBytes / 4))
  return Math.floor(wanted / WASM_PAGE_BYTES) * WASM_PAGE_BYTES
}

async function best(workers: readonly Worker[]): Promise<number> {
  const rates: number[] = []
  for (let index = 0; index < RUNS; index++) rates.push(await run(workers))
  return Math.max(...rates)
}

async function run(workers: readonly Worker[]): Promise<number> {
  const rates = workers.map((worker) => {
    worker.postMessage(RUN_MS)
    return answer(worker)
  })
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0)
}

/** The next message; `once` rejects when the worker fails instead. */
async function answer(worker: Worker): Promise<number> {
  const [rate] = await once(worker, 'message')
  return rate
}
