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
import { rowOf } from './report.ts'
import type { SeededFile, SeederOrder, SeederTold } from './shards/messages.ts'

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
    for (const hasLinks of [true, false]) {
      const seeders = await Promise.all(Array.from({ length: PEERS }, () => startSeeder({ file, hasLinks })))
      const pairs: { readonly swarm: number; readonly bare: number }[] = []
      try {
        for (let run = -1; run < bench.runs; run++) {
          bench.signal.throwIfAborted()
          bench.progress(`shards, run ${run + 1} of ${bench.runs}`)
          const out = join(home.path, 'out')
          const bare = await mebibytesPerSecond(file, () => fetchBare(seeders[0]!.told.barePort, out))
          const swarm = await fetchFromAll(bench, { file, out, seeders, hasLinks })
          if (run >= 0) pairs.push({ swarm, bare })
        }
      } finally {
        for (const { child } of seeders) child.disconnect()
      }
      report(
        rowOf({
          measure: `a download from ${PEERS} peers ÷ one bare socket, ${hasLinks ? 'bulk links' : 'channels only'}`,
          ratios: pairs.map(({ swarm, bare }) => swarm / bare),
          ...(hasLinks ? { target: TARGET } : {}),
          values: { 'peers MiB/s': pairs.map(({ swarm }) => swarm), 'bare MiB/s': pairs.map(({ bare }) => bare) },
        }),
      )
    }
  },
}

interface Seeder {
  readonly child: ChildProcess
  readonly told: SeederTold
}

async function startSeeder({ file, hasLinks }: Omit<SeederOrder, 'type'>): Promise<Seeder> {
  const child = fork(SEEDER, { serialization: 'advanced' })
  child.send({ type: 'serve', file, hasLinks } satisfies SeederOrder)
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

/** One socket, piped into a file: what node:net does without us. */
async function fetchBare(port: number, out: string): Promise<void> {
  await rm(out, { force: true })
  await pipeline(connect(port, '127.0.0.1'), createWriteStream(out))
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
  const wire = await createLibp2pWire({ networkId: 'bench-shards', listen: [], mdns: false, dht: false }, bench.system)
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
