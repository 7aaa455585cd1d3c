/**
 * Shards between peers: one downloader from four peers against the same bytes through one bare socket, and what serving shards costs a stage that
 * computes meanwhile.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { open, rm, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { leavesOfFile } from '../src/app/shards/chunk-hash.ts'
import { createChunkKeeper } from '../src/app/shards/chunk-keeper.ts'
import type { ChunkSource } from '../src/app/shards/chunk-source.ts'
import { createFetchThread } from '../src/app/shards/fetch-thread.ts'
import { openChunkSource } from '../src/app/shards/wire-chunk-source.ts'
import { CHUNK_BYTES, chunkCount, leafAt, rootOfLeaves } from '../src/ml/chunk-tree.ts'
import { createLibp2pWire } from '../src/net/libp2p-wire.ts'
import type { Bench, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { NETWORK_ID, type SeededFile, type SeederOrder, type SeederTold } from './shards/messages.ts'
import { measureStepLatency } from './shards/step-latency.ts'

const PEERS = 4
const FILE_BYTES = 512 * CHUNK_BYTES
const FILE_BYTES_QUICK = 256 * CHUNK_BYTES
const ASKED_PER_PEER = 8
const SEEDER = fileURLToPath(import.meta.resolve('./shards/seeder.ts'))
const TARGET = { atLeast: 0.8 }

export const shards: Measure = {
  name: 'shards',
  async run(bench, report) {
    const home = await bench.newHome({ sharesModels: false })
    const file = await writeRandomFile(bench, join(home.path, 'file'), bench.quick ? FILE_BYTES_QUICK : FILE_BYTES)
    for (const hasLinks of [true, false]) report(await measureDownload(bench, { file, hasLinks }))
    await rm(file.path)
    await bench.forEachModel(async (model) => {
      const row = await measureStepLatency(bench, model)
      if (row !== undefined) report(row)
    })
  },
}

async function measureDownload(bench: Bench, order: SeederOrder): Promise<Row> {
  const { file, hasLinks } = order
  const transport = hasLinks ? 'bulk links' : 'channels only'
  const out = `${file.path}-out`
  const seeders = await Promise.all(Array.from({ length: PEERS }, () => startSeeder(order)))
  const samples: { readonly swarm: number; readonly bare: number; readonly tuned: number }[] = []
  try {
    for (let run = -1; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`shards, ${transport}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
      const port = seeders[0]!.told.barePort
      const bare = await mebibytesPerSecond(file, () => fetchBare(port, out))
      const tuned = await mebibytesPerSecond(file, () => fetchTuned(port, { out, bytes: file.bytes }))
      const swarm = await fetchFromAll(bench, { file, out, seeders, hasLinks })
      if (run >= 0) samples.push({ swarm, bare, tuned })
    }
  } finally {
    for (const { child } of seeders) child.disconnect()
  }
  return rowOf({
    measure: `a download from ${PEERS} peers ÷ one bare socket, ${transport}`,
    ratios: samples.map(({ swarm, bare }) => swarm / bare),
    ...(hasLinks ? { target: TARGET } : {}),
    values: {
      'peers MiB/s': samples.map(({ swarm }) => swarm),
      'bare MiB/s': samples.map(({ bare }) => bare),
      'bare and tuned MiB/s': samples.map(({ tuned }) => tuned),
    },
  })
}

interface Seeder {
  readonly child: ChildProcess
  readonly told: SeederTold
}

async function startSeeder(order: SeederOrder): Promise<Seeder> {
  const child = fork(SEEDER, { serialization: 'advanced' })
  child.send(order)
  const [told] = (await once(child, 'message')) as [SeederTold]
  return { child, told }
}

async function writeRandomFile(bench: Bench, path: string, bytes: number): Promise<SeededFile> {
  const file = await open(path, 'w+')
  try {
    for (let done = 0; done < bytes; done += CHUNK_BYTES) await file.write(bench.system.random.bytes(CHUNK_BYTES))
    const leaves = await leavesOfFile(file, bench.signal)
    return { root: rootOfLeaves(leaves), bytes, path, leaves }
  } finally {
    await file.close()
  }
}

/** One socket, piped into a file: what a user of node:net would write. */
async function fetchBare(port: number, out: string): Promise<void> {
  await rm(out, { force: true })
  await pipeline(connect(port, '127.0.0.1'), createWriteStream(out))
}

/** One socket that is read straight into buffers of a chunk, which are written at once: as fast as one thread of Node gets here. */
async function fetchTuned(
  port: number,
  { out, bytes }: { readonly out: string; readonly bytes: number },
): Promise<void> {
  const file = await open(out, 'w')
  const writes: Promise<unknown>[] = []
  const done = Promise.withResolvers<void>()
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  let filled = 0
  const callback = (count: number): boolean => {
    filled += count
    const at = writes.length * CHUNK_BYTES
    if (filled < CHUNK_BYTES && at + filled < bytes) return true
    writes.push(file.write(buffer, 0, filled, at))
    if (at + filled === bytes) done.resolve()
    buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    filled = 0
    return true
  }
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer: () => buffer.subarray(filled), callback } })
  socket.on('error', done.reject)
  await done.promise
  await Promise.all(writes)
  socket.destroy()
  await file.close()
}

async function mebibytesPerSecond({ bytes }: SeededFile, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return bytes / CHUNK_BYTES / ((performance.now() - startedMs) / 1_000)
}

/** Without the dials: a download of many shards dials once. */
async function fetchFromAll(
  bench: Bench,
  { file, out, seeders, hasLinks }: { file: SeededFile; out: string; seeders: readonly Seeder[]; hasLinks: boolean },
): Promise<number> {
  const wire = await createLibp2pWire({ networkId: NETWORK_ID, listen: [], mdns: false, dht: false }, bench.system)
  const thread = hasLinks ? createFetchThread() : undefined
  const ports = { ...bench.system, wire, keeper: thread ?? createChunkKeeper(), links: thread }
  try {
    const sources = await Promise.all(seeders.map(({ told }) => openChunkSource(told, ports)))
    await rm(out, { force: true })
    await writeFile(out, '')
    await truncate(out, file.bytes)
    return await mebibytesPerSecond(file, () => takeAll(bench, { sources, file, out }))
  } finally {
    await thread?.close()
    await wire.stop()
  }
}

async function takeAll(
  { signal }: Bench,
  { sources, file, out }: { sources: readonly ChunkSource[]; file: SeededFile; out: string },
): Promise<void> {
  let next = 0
  const take = async (source: ChunkSource): Promise<void> => {
    for (let index = next++; index < chunkCount(file.bytes); index = next++) {
      const outcome = await source.chunk(file, index, { path: out, leaf: leafAt(file.leaves, index) }, signal)
      if (outcome !== 'stored') throw new Error(`a chunk was ${outcome}`)
    }
  }
  const takers = sources.flatMap((source) => Array.from({ length: ASKED_PER_PEER }, () => take(source)))
  await Promise.all(takers)
}
