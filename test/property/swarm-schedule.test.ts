import { expect, test } from 'vitest'
import { type ChunkTable, createChunkTable } from '../../src/app/swarm/chunk-table.ts'
import { createSchedule } from '../../src/app/swarm/schedule.ts'
import { CHUNK_BYTES, chunkCount, chunkLength } from '../../src/ml/chunk-tree.ts'
import { type DownloadResult, downloaderOf, drawsOf, runWorld, type WorldPeer } from '../swarm-world.ts'

const MIB = 1_048_576
const SEEDS = Array.from({ length: 20 }, (_, index) => BigInt(index + 1))

interface Holders {
  readonly files: readonly number[]
  readonly sources: readonly WorldPeer[]
}

/** Peers of very different rates and delays, each with a part of the files, or all. */
function randomSources(seed: bigint): Holders {
  const draw = drawsOf(seed)
  const files = Array.from({ length: 1 + Math.floor(draw() * 4) }, () => Math.ceil((20 + draw() * 80) * MIB))
  const sources = Array.from({ length: 3 + Math.floor(draw() * 5) }, (_, number): WorldPeer => {
    const share = number < 2 ? 1 : 0.2 + draw() * 0.8
    const parts = files.map((bytes) => Array.from({ length: chunkCount(bytes) }, () => draw() < share))
    return {
      bytesPerSecond: MIB * 10 ** (draw() * 2.5 - 0.5),
      delayMs: 0.2 * 10 ** (draw() * 2.5),
      has: (file, index) => parts[file]![index]!,
    }
  })
  return { files, sources }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

/** No schedule can be sooner: for each set of peers, what only they have must come over their lines. Hall's theorem. */
function leastMs({ files, sources }: Holders): number {
  const bytesOf = new Array<number>(1 << sources.length).fill(0)
  for (const [file, bytes] of files.entries()) {
    for (let index = 0; index < chunkCount(bytes); index++) {
      const holders = sources.reduce((set, { has }, number) => set | (has!(file, index) ? 1 << number : 0), 0)
      bytesOf[holders]! += chunkLength(bytes, index)
    }
  }
  const times = bytesOf.map((_, set) => {
    const rate = sumOf(sources.map(({ bytesPerSecond }, number) => (set & (1 << number) ? bytesPerSecond : 0)))
    const bytes = sumOf(bytesOf.filter((_, part) => (part & ~set) === 0))
    return rate === 0 ? 0 : (bytes / rate) * 1_000
  })
  return Math.max(...times)
}

function chunksOf(files: readonly number[]): number {
  return sumOf(files.map(chunkCount))
}

function expectWhole(result: DownloadResult, files: readonly number[]): void {
  expect(result.endMs).toBeDefined()
  expect(result.written.size).toBe(chunksOf(files))
  expect([...result.written.values()].every((times) => times === 1)).toBe(true)
}

/** 3 % twice, or one chunk of a small download. */
function expectFewTwice(result: DownloadResult, files: readonly number[]): void {
  expect(result.receivedBytes).toBeLessThanOrEqual(sumOf(files) + Math.max(0.03 * sumOf(files), CHUNK_BYTES))
}

test.each(SEEDS)('every chunk is written once, few arrive twice, and the time is near the least (seed %s)', (seed) => {
  const { files, sources } = randomSources(seed)
  const [result] = runWorld({ seed, files, peers: [downloaderOf(seed), ...sources] })
  expectWhole(result!, files)
  expectFewTwice(result!, files)
  const slowestMs = Math.max(...sources.map(({ delayMs }) => 2 * delayMs))
  expect(result!.endMs!).toBeLessThanOrEqual(1.5 * leastMs({ files, sources }) + 10 * slowestMs)
})

test.each(SEEDS)('liars are banned after the chunk that does not fit, and deaths lose nothing (seed %s)', (seed) => {
  const { files, sources } = randomSources(seed)
  const draw = drawsOf(seed + 1_000n)
  const least = leastMs({ files, sources })
  const troubled = sources.map((source, number): WorldPeer => {
    if (number === 0) return source // has all, and stays
    const fate = draw()
    if (fate < 0.35) return { ...source, liesAfter: Math.floor(draw() * 10) }
    if (fate < 0.6) return { ...source, diesMs: draw() * least, returnsMs: least * (1 + draw()) }
    if (fate < 0.8) return { ...source, fallsSilentMs: draw() * least }
    return source
  })
  const [result] = runWorld({ seed, files, peers: [downloaderOf(seed), ...troubled] })
  expectWhole(result!, files)
  const liars = troubled.flatMap(({ liesAfter }, number) => (liesAfter === undefined ? [] : [number + 1]))
  expect(liars).toEqual(expect.arrayContaining([...result!.banned]))
  expect(result!.wrongChunks).toBe(result!.banned.length)
  // What was on the way from a peer that left comes from another one.
  const lost = troubled.filter(({ diesMs, fallsSilentMs }) => (diesMs ?? fallsSilentMs) !== undefined).length
  expect(result!.receivedBytes).toBeLessThanOrEqual(sumOf(files) * 1.03 + (1 + lost) * CHUNK_BYTES)
})

test('a peer that brings a chunk in a while gets one, and the end does not wait for it', () => {
  const files = [200 * MIB]
  const fast: WorldPeer = { bytesPerSecond: 20 * MIB, delayMs: 5 }
  const peers = [downloaderOf(1n), fast, fast, { bytesPerSecond: MIB / 10, delayMs: 5 }]
  const [result] = runWorld({ seed: 1n, files, peers })
  expectWhole(result!, files)
  expect(result!.endMs!).toBeLessThan(5_600)
})

/** All have nothing and take from one that has everything, and from each other. */
function spread(seed: bigint, createTable: (seed: bigint) => ChunkTable): number {
  const files = [64 * MIB]
  const source: WorldPeer = { bytesPerSecond: 4 * MIB, delayMs: 5 }
  const takers = Array.from({ length: 10 }, (_, number): WorldPeer => {
    const own = seed * 100n + BigInt(number)
    return { bytesPerSecond: 4 * MIB, delayMs: 5, schedule: createSchedule(own, createTable(own)) }
  })
  const results = runWorld({ seed, files, peers: [source, ...takers] })
  for (const result of results) expectWhole(result, files)
  return Math.max(...results.map(({ endMs }) => endMs!))
}

/** As a plain download does it: the first chunk that a peer has. */
function inOrderTable(seed: bigint): ChunkTable {
  const table = createChunkTable(seed)
  const open = new Set<number>()
  return {
    ...table,
    addFile: (bytes, have) => {
      const file = table.addFile(bytes, have)
      for (let index = 0; index < chunkCount(bytes); index++) open.add(table.chunkAt(file, index))
      return file
    },
    best: (peer) => [...open].sort((a, b) => a - b).find((chunk) => table.has(peer, chunk)),
    take: (chunk) => {
      open.delete(chunk)
      table.take(chunk)
    },
    putBack: (chunk) => {
      open.add(chunk)
      table.putBack(chunk)
    },
    get leftBytes() {
      return table.leftBytes
    },
    get leftChunks() {
      return table.leftChunks
    },
    get totalBytes() {
      return table.totalBytes
    },
  }
}

test.each([1n, 2n, 3n])('ten that take from one seed spread its chunks sooner than in order (seed %s)', (seed) => {
  const rarestMs = spread(seed, createChunkTable)
  const inOrderMs = spread(seed, inOrderTable)
  expect(rarestMs).toBeLessThan(0.5 * inOrderMs)
})
