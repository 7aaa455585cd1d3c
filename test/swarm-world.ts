/**
 * Downloads in virtual time: peers with rates, delays, parts of a file, lies and deaths, and schedules that take from them. One run follows from its seed.
 * @module
 */

import { type Ask, createSchedule, type Schedule } from '../src/app/swarm/schedule.ts'
import { type Milliseconds, milliseconds, type PeerId, peerId } from '../src/base/brand.ts'
import { uniformAt } from '../src/base/prng.ts'
import { chunkCount } from '../src/ml/chunk-tree.ts'

export interface WorldPeer {
  /** Bytes per second that it sends at most. */
  readonly bytesPerSecond: number
  /** One way. */
  readonly delayMs: number
  /** What it has at first; left out: all. */
  readonly has?: (file: number, index: number) => boolean
  /** Its chunks are wrong from this one on. */
  readonly liesAfter?: number
  /** Says nothing any more, without a farewell. */
  readonly fallsSilentMs?: number
  /** Its connection breaks. */
  readonly diesMs?: number
  /** It is there again, with the connection. */
  readonly returnsMs?: number
  /** It downloads as well, and passes on what it has; its `has` says what it has before. */
  readonly schedule?: Schedule
}

export interface World {
  readonly seed: bigint
  readonly files: readonly number[]
  readonly peers: readonly WorldPeer[]
}

export interface DownloadResult {
  /** undefined: it never came to its end. */
  readonly endMs: number | undefined
  /** How often each chunk was written, `file.index`. */
  readonly written: ReadonlyMap<string, number>
  /** Of all chunks that came whole or in part, wrong ones left out. */
  readonly receivedBytes: number
  readonly wrongChunks: number
  readonly banned: readonly number[]
}

/** How often who downloads asks the others what they have. */
const LOOK_MS = 1_000
/** A world that takes longer is stuck. */
const END_MS = 24 * 3_600_000

interface Node {
  readonly id: PeerId
  readonly number: number
  readonly peer: WorldPeer
  readonly maps: Uint8Array[]
  readonly queue: { ask: Ask; to: Node; answer: (isRight: boolean) => void }[]
  isSending: boolean
  isAlive: boolean
  sent: number
}

interface Downloader {
  readonly node: Node
  readonly schedule: Schedule
  readonly known: Set<PeerId>
  readonly banned: Set<PeerId>
  readonly written: Map<string, number>
  receivedBytes: number
  wrongChunks: number
  endMs: number | undefined
}

/** Runs until every schedule has all, and gives what became of each, in the order of `peers`. */
export function runWorld({ files, peers }: World): DownloadResult[] {
  const heap = createEvents()
  const nodes = peers.map((peer, number) => createNode(peer, number, files))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const downloaders = nodes.flatMap((node) => (node.peer.schedule ? [createDownloader(node, files)] : []))
  const isSilent = (node: Node): boolean => heap.now() >= (node.peer.fallsSilentMs ?? Number.POSITIVE_INFINITY)

  const sendNext = (node: Node): void => {
    const job = node.queue.shift()
    if (job === undefined) {
      node.isSending = false
      return
    }
    node.isSending = true
    heap.after((job.ask.bytes / node.peer.bytesPerSecond) * 1_000, () => {
      if (isSilent(node) || !node.isAlive) return
      const isRight = node.sent++ < (node.peer.liesAfter ?? Number.POSITIVE_INFINITY)
      heap.after(node.peer.delayMs, () => job.answer(isRight))
      sendNext(node)
    })
  }
  const drop = (to: Downloader, id: PeerId): void => {
    to.known.delete(id)
    to.schedule.dropPeer(id)
    const { queue } = byId.get(id)!
    for (const job of queue.splice(0)) if (job.to !== to.node) queue.push(job)
    pump(to)
  }
  const take = (to: Downloader, ask: Ask, isRight: boolean): void => {
    if (!to.known.has(ask.peer)) return
    if (!isRight) {
      to.wrongChunks++
      to.banned.add(ask.peer)
      drop(to, ask.peer)
      return
    }
    to.receivedBytes += ask.bytes
    const { isNew, cancel } = to.schedule.arrived(ask, heap.now())
    for (const loser of cancel) {
      const node = byId.get(loser.peer)!
      // What is being sent goes on to its end.
      heap.after(node.peer.delayMs, () => {
        const place = node.queue.findIndex((job) => job.to === to.node && isSame(job.ask, loser))
        if (place >= 0) node.queue.splice(place, 1)
      })
    }
    if (isNew) {
      const key = `${ask.file}.${ask.index}`
      to.written.set(key, (to.written.get(key) ?? 0) + 1)
      to.node.maps[ask.file]![ask.index >> 3]! |= 1 << (ask.index & 7)
    }
    if (to.schedule.leftBytes === 0) to.endMs ??= heap.now()
    pump(to)
  }
  const pump = (to: Downloader): void => {
    for (const ask of to.schedule.next(heap.now())) {
      const node = byId.get(ask.peer)!
      heap.after(node.peer.delayMs, () => {
        if (!node.isAlive || isSilent(node)) return
        node.queue.push({ ask, to: to.node, answer: (isRight) => take(to, ask, isRight) })
        if (!node.isSending) sendNext(node)
      })
    }
  }
  const look = (to: Downloader): void => {
    for (const node of nodes) {
      if (node === to.node || to.banned.has(node.id)) continue
      if (!node.isAlive) {
        if (to.known.has(node.id)) drop(to, node.id)
        continue
      }
      if (!to.known.has(node.id)) {
        if (isSilent(node)) continue
        to.known.add(node.id)
        to.schedule.addPeer(node.id, heap.now())
      }
      for (const [file, map] of node.maps.entries()) to.schedule.setHoldings(node.id, file, map)
    }
    for (const id of to.schedule.silentPeers(heap.now())) drop(to, id)
    pump(to)
    if (to.endMs === undefined) heap.after(LOOK_MS, () => look(to))
  }

  for (const node of nodes) {
    const { diesMs, returnsMs } = node.peer
    if (diesMs !== undefined) {
      heap.after(diesMs, () => {
        node.isAlive = false
        node.isSending = false
        node.queue.length = 0
        for (const to of downloaders) drop(to, node.id)
      })
    }
    if (returnsMs !== undefined) heap.after(returnsMs, () => Object.assign(node, { isAlive: true }))
  }
  for (const to of downloaders) look(to)
  heap.run(() => downloaders.every(({ endMs }) => endMs !== undefined))
  return downloaders.map(({ endMs, written, receivedBytes, wrongChunks, banned }) => ({
    ...{ endMs, written, receivedBytes, wrongChunks },
    banned: [...banned].map((id) => byId.get(id)!.number),
  }))
}

function isSame(a: Ask, b: Ask): boolean {
  return a.peer === b.peer && a.file === b.file && a.index === b.index
}

function createNode(peer: WorldPeer, number: number, files: readonly number[]): Node {
  const isSource = peer.schedule === undefined || peer.has !== undefined
  const maps = files.map((bytes, file) => mapOf(bytes, (index) => isSource && (peer.has?.(file, index) ?? true)))
  const id = peerId(`peer-${number}`)
  return { ...{ id, number, peer, maps }, queue: [], isSending: false, isAlive: true, sent: 0 }
}

function createDownloader(node: Node, files: readonly number[]): Downloader {
  const schedule = node.peer.schedule!
  for (const [file, bytes] of files.entries()) schedule.addFile(bytes, node.maps[file]!)
  return {
    ...{ node, schedule, known: new Set(), banned: new Set(), written: new Map() },
    receivedBytes: 0,
    wrongChunks: 0,
    endMs: undefined,
  }
}

/** The map of the chunks for which `has` holds. */
export function mapOf(bytes: number, has: (index: number) => boolean): Uint8Array {
  const count = chunkCount(bytes)
  const map = new Uint8Array(Math.ceil(count / 8))
  for (let index = 0; index < count; index++) if (has(index)) map[index >> 3]! |= 1 << (index & 7)
  return map
}

/** Somebody with nothing who only downloads. */
export function downloaderOf(seed: bigint): WorldPeer {
  return { bytesPerSecond: 1, delayMs: 0, schedule: createSchedule(seed) }
}

/** Numbers in [0, 1), one after the other. */
export function drawsOf(seed: bigint): () => number {
  let counter = 0n
  return () => uniformAt(seed, counter++)
}

interface Events {
  now(): Milliseconds
  after(delayMs: number, run: () => void): void
  run(isOver: () => boolean): void
}

function createEvents(): Events {
  let nowMs = 0
  let count = 0
  const waiting: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = []
  return {
    now: () => milliseconds(nowMs),
    after: (delayMs, run) => {
      const event = { atMs: nowMs + delayMs, order: count++, run }
      let [low, high] = [0, waiting.length]
      while (low < high) {
        const middle = (low + high) >> 1
        // The next one stands last.
        if (waiting[middle]!.atMs > event.atMs) low = middle + 1
        else high = middle
      }
      waiting.splice(low, 0, event)
    },
    run: (isOver) => {
      while (!isOver() && nowMs < END_MS) {
        const event = waiting.pop()
        if (event === undefined) return
        nowMs = event.atMs
        event.run()
      }
    },
  }
}
