/**
 * Shards between peers: one downloader from four peers against the same bytes through one bare socket, and what serving shards costs a stage that
 * computes meanwhile.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { leavesOfFile } from '../src/app/shards/chunk-hash.ts'
import { createFetchThread } from '../src/app/shards/fetch-thread.ts'
import { shardsFolder } from '../src/app/shards/shard-folder.ts'
import { openShardStore } from '../src/app/shards/shard-store.ts'
import { openChunkSource } from '../src/app/shards/wire-chunk-source.ts'
import type { SwarmPeers } from '../src/app/swarm/contacts.ts'
import { pullFiles } from '../src/app/swarm/pull-files.ts'
import { CHUNK_BYTES, rootOfLeaves } from '../src/ml/chunk-tree.ts'
import { createLibp2pWire } from '../src/net/libp2p-wire.ts'
import type { Bench, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { NETWORK_ID, type SeededFile, type SeederOrder, type SeederTold } from './shards/messages.ts'
import { measureStepLatency } from './shards/step-latency.ts'

const PEERS = 4
const FILE_BYTES = 512 * CHUNK_BYTES
const FILE_BYTES_QUICK = 256 * CHUNK_BYTES
const SEEDER = fileURLToPath(import.meta.resolve('./shards/seeder.ts'))
const TARGET = { atLeast: 0.8 }

export const shards: Measure = {
  name: 'shards',
  async run(bench, report) {
    const home = await bench.newHome({ sharesModels: false })
    const file = await writeRandomFile(bench, join(home.path, 'file'), bench.quick ? FILE_BYTES_QUICK : FILE_BYTES)
    for (const hasLinks of [true, false]) report(await measureDownload(bench, { file, hasLinks }))
    await rm(file.path)
  },
}

export const shardSteps: Measure = {
  name: 'shards-steps',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureStepLatency(bench, model)) report(row)
    }),
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
      const swarm = await pullFromAll(bench, { file, seeders, hasLinks })
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

/** One socket, piped into a file, which is synced: what a user of node:net would write. */
async function fetchBare(port: number, out: string): Promise<void> {
  await rm(out, { force: true })
  await pipeline(connect(port, '127.0.0.1'), createWriteStream(out, { flush: true }))
}

/** One socket that is read straight into buffers of a chunk, which are written at once: as fast as one thread of Node gets here. */
async function fetchTuned(
  port: number,
  { out, bytes }: { readonly out: string; readonly bytes: number },
): Promise<void> {
  await rm(out, { force: true })
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
  await file.sync()
  await file.close()
}

async function mebibytesPerSecond({ bytes }: SeededFile, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return bytes / CHUNK_BYTES / ((performance.now() - startedMs) / 1_000)
}

/** As `dllm shard pull` does once it knows the model: dials, asks for leaves, and ends with a whole file that is synced. */
async function pullFromAll(
  bench: Bench,
  { file, seeders, hasLinks }: { file: SeededFile; seeders: readonly Seeder[]; hasLinks: boolean },
): Promise<number> {
  const { system, signal } = bench
  const home = await bench.newHome({ sharesModels: false })
  const wire = await createLibp2pWire({ networkId: NETWORK_ID, listen: [], mdns: false, dht: false }, system)
  const thread = createFetchThread()
  const ports = { ...system, wire, keeper: thread, links: hasLinks ? thread : undefined }
  const peers: SwarmPeers = {
    async *search() {
      yield* seeders.map(({ told }) => told)
    },
    open: (peer, stop) => openChunkSource(peer, ports, stop),
    blame: () => undefined,
  }
  const { root, bytes } = file
  try {
    const store = openShardStore({ home: home.path })
    const options = { files: [{ root, bytes }], store, peers, seed: 1n }
    return await mebibytesPerSecond(file, async () => void (await pullFiles(options, system, signal)))
  } finally {
    await thread.close()
    await wire.stop()
    await rm(shardsFolder(home.path), { recursive: true })
  }
}
