/**
 * What a download asks next of whom. Rarest chunks first, of whoever is expected to bring them soonest; slow peers get less; the last chunks are asked of
 * several peers, and the losers are told so. Pure: times come as arguments; it neither asks nor waits, and does not see what chunks hold, so that its
 * caller says which peers are gone, for now or for good.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type Milliseconds, milliseconds, type PeerId } from '../../base/brand.ts'
import { SWARM_LIMITS } from '../../base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../ml/chunk-tree.ts'
import type { ChunkMap } from '../shards/chunk-source.ts'
import { type ChunkPlace, type ChunkTable, createChunkTable } from './chunk-table.ts'
import { type Asked, createPeerPace, type PeerPace } from './peer-pace.ts'

/** A chunk that a peer is asked for: the file's number, the chunk's index in it. */
export interface Ask extends ChunkPlace {
  readonly peer: PeerId
}

export interface Arrival {
  /** False: it has arrived before; what came is thrown away. */
  readonly isNew: boolean
  /** Others that were asked for the same chunk and need not send it. */
  readonly cancel: readonly Ask[]
}

export interface PeerRate {
  readonly peer: PeerId
  /** Bytes per second; undefined before its first chunk. */
  readonly bytesPerSecond: number | undefined
  readonly underWay: number
}

export interface Schedule {
  /** A further file, with the chunks that are here; gives its number. */
  addFile(bytes: number, have: ChunkMap): number
  /** A peer that may be asked from now on. */
  addPeer(peer: PeerId, nowMs: Milliseconds): void
  setHoldings(peer: PeerId, file: number, map: ChunkMap | undefined): void
  /** The peer is gone, or must not be asked any more. Gives what it was asked for, which others are asked for from now on. */
  dropPeer(peer: PeerId): Ask[]
  /** What to ask now. It counts as under way from here on. `most`: no more than so many. */
  next(nowMs: Milliseconds, most?: number): Ask[]
  /** A chunk came, and is what it should be. */
  arrived(ask: Ask, nowMs: Milliseconds): Arrival
  /** A peer does not have the chunk, whatever it said. True: it has said so too often. */
  denied(ask: Ask): boolean
  /** Peers that owe a chunk and have brought nothing for longer than `silenceMs`. */
  silentPeers(nowMs: Milliseconds): PeerId[]
  /** How long a peer may bring nothing: longer where the line of this machine is slow, since all share it. */
  readonly silenceMs: Milliseconds
  peers(): PeerRate[]
  readonly leftBytes: number
  readonly totalBytes: number
  /** Questions without an answer yet. */
  readonly underWay: number
  /** Chunks that no peer has now. */
  missingEverywhere(): number
}

/** What was on the way from the peer, and from all, when it was asked. */
interface Question {
  readonly own: Asked
  readonly all: Asked
}

interface Peer {
  readonly id: PeerId
  readonly pace: PeerPace
  readonly asks: Map<number, Question>
  denials: number
}

/** A second copy is asked for only where it is expected to come this many times sooner. */
const SOONER = 2
/** Of a peer that has not brought anything yet, so much is expected for one chunk. */
const UNKNOWN_MS = 1_000
/** A peer is late when it brings nothing for this many times what it should take. */
const LATE = 3
/** Before anybody knows how fast the line is. */
const FIRST_ASKS = 4
/** And one more each time that nothing has come for so long. */
const MORE_MS = 10_000
/** What is on the way should be here within this time, at the rate of all. */
const LINE_MS = 20_000

export function createSchedule(seed: bigint, table: ChunkTable = createChunkTable(seed)): Schedule {
  const peers = new Map<PeerId, Peer>()
  /** Who is asked for a chunk. */
  const askers = new Map<number, Set<Peer>>()
  /** Of all peers together: they share the line of this machine. */
  const line = createPeerPace(milliseconds(0))
  let underWay = 0
  let twiceBytes = 0
  /** Since when something is on the way all the time. */
  let waitingMs = milliseconds(0)

  const begin = (peer: Peer, chunk: number, nowMs: Milliseconds): Ask => {
    const own = peer.pace.asked(peer.asks.size === 0, nowMs)
    peer.asks.set(chunk, { own, all: line.asked(underWay === 0, nowMs) })
    const others = askers.get(chunk) ?? new Set()
    askers.set(chunk, others.add(peer))
    underWay++
    return { ...table.placeOf(chunk), peer: peer.id }
  }
  /** Forgets a question. Unless the chunk is here or another peer is asked for it, it is wanted again. */
  const end = (peer: Peer, chunk: number): void => {
    if (!peer.asks.delete(chunk)) return
    underWay--
    const others = askers.get(chunk)!
    others.delete(peer)
    if (others.size > 0) return
    askers.delete(chunk)
    if (!table.isDone(chunk)) table.putBack(chunk)
  }
  const expectedMs = (peer: Peer): number =>
    peer.pace.rate === undefined ? UNKNOWN_MS * peer.asks.size : ((peer.asks.size + 1) * CHUNK_BYTES) / peer.pace.rate

  /** Chunks that may be on the way: no more than the line brings in a while, since what many share comes late, and each peer too slowly. */
  const underWayMax = (nowMs: Milliseconds): number => {
    const { rate } = line
    if (underWay === 0) waitingMs = nowMs
    // Those that are asked first may be slow ones: the longer nothing has come, the more are asked.
    const most =
      rate === undefined
        ? FIRST_ASKS + Math.floor((nowMs - waitingMs) / MORE_MS)
        : Math.ceil((LINE_MS * rate) / CHUNK_BYTES)
    return Math.min(SWARM_LIMITS.chunksInFlightMax, Math.max(FIRST_ASKS, most))
  }
  /** Several times what all that is on the way takes. Before anything has come nobody knows what that is. */
  const silence = (): Milliseconds => {
    const { rate } = line
    const neededMs = rate === undefined ? SWARM_LIMITS.silenceMsMax : (LATE * underWay * CHUNK_BYTES) / rate
    return milliseconds(Math.min(SWARM_LIMITS.silenceMsMax, Math.max(SWARM_LIMITS.silenceMs, neededMs)))
  }

  /** Whether others will have brought all that is left well before this peer brings one more chunk. */
  const isTooSlow = (peer: Peer): boolean => {
    if (peer.pace.rate === undefined) return false
    let othersRate = 0
    for (const other of peers.values()) if (other !== peer && other.asks.size > 0) othersRate += other.pace.rate ?? 0
    return othersRate > 0 && expectedMs(peer) > (SOONER * (table.leftBytes + CHUNK_BYTES)) / othersRate
  }
  const isAtFaster = ({ pace }: Peer, chunk: number): boolean =>
    [...peers.values()].some(
      (other) => (other.pace.rate ?? 0) > SOONER * (pace.rate ?? 0) && table.has(other.id, chunk),
    )
  const nextOpen = (nowMs: Milliseconds): Ask | undefined => {
    const free = [...peers.values()].filter(({ asks, pace }) => asks.size < pace.window)
    // Who is not measured yet is asked at once, so that it is.
    free.sort((a, b) => expectedMs(a) - expectedMs(b))
    for (const peer of free) {
      const chunk = table.best(peer.id)
      if (chunk === undefined || (isTooSlow(peer) && isAtFaster(peer, chunk))) continue
      table.take(chunk)
      return begin(peer, chunk, nowMs)
    }
    return undefined
  }

  /** When the first of those who are asked for a chunk is expected to have sent it. */
  const expectedLeftMs = (chunk: number, nowMs: Milliseconds): number => {
    const waits = [...askers.get(chunk)!].map(({ asks, pace }) => {
      const ahead = [...asks.keys()].indexOf(chunk) + 1
      const needed = pace.rate === undefined ? UNKNOWN_MS : (ahead * CHUNK_BYTES) / pace.rate
      const passed = nowMs - pace.progressMs
      // What is overdue stays so for about as long as it has been.
      return passed < needed ? needed - passed : passed
    })
    return Math.min(...waits)
  }
  const mayAskTwice = (bytes: number): boolean => {
    let onTheWay = 0
    for (const [chunk, asked] of askers) onTheWay += (asked.size - 1) * table.placeOf(chunk).bytes
    const share = (table.totalBytes * SWARM_LIMITS.twicePermille) / 1_000
    return twiceBytes + onTheWay + bytes <= Math.max(share, SWARM_LIMITS.twiceChunksMin * CHUNK_BYTES)
  }
  /** One of the last chunks, of a peer that has nothing else to do and will be sooner than who is asked for it. */
  const nextTwice = (nowMs: Milliseconds): Ask | undefined => {
    const free = [...peers.values()].filter(({ asks, pace }) => asks.size < pace.window && pace.rate !== undefined)
    free.sort((a, b) => expectedMs(a) - expectedMs(b))
    for (const peer of free) {
      let [worst, worstMs] = [-1, SOONER * expectedMs(peer)]
      for (const [chunk, asked] of askers) {
        if (asked.has(peer) || asked.size >= SWARM_LIMITS.askersPerChunkMax || !table.has(peer.id, chunk)) continue
        const leftMs = expectedLeftMs(chunk, nowMs)
        if (leftMs > worstMs && mayAskTwice(table.placeOf(chunk).bytes)) [worst, worstMs] = [chunk, leftMs]
      }
      if (worst >= 0) return begin(peer, worst, nowMs)
    }
    return undefined
  }
  return {
    addFile: table.addFile,
    addPeer: (id, nowMs) => {
      assert(!peers.has(id), 'a peer is added once')
      peers.set(id, { id, pace: createPeerPace(nowMs), asks: new Map(), denials: 0 })
    },
    setHoldings: (id, file, map) => {
      if (peers.has(id)) table.setHoldings(id, file, map)
    },
    dropPeer: (id) => {
      const peer = peers.get(id)
      if (peer === undefined) return []
      const lost = [...peer.asks.keys()]
      for (const chunk of lost) end(peer, chunk)
      peers.delete(id)
      table.dropPeer(id)
      return lost.map((chunk) => ({ ...table.placeOf(chunk), peer: id }))
    },
    next: (nowMs, most = SWARM_LIMITS.chunksInFlightMax) => {
      const asks: Ask[] = []
      while (asks.length < most && underWay < underWayMax(nowMs)) {
        const ask = nextOpen(nowMs) ?? nextTwice(nowMs)
        if (ask === undefined) break
        asks.push(ask)
      }
      return asks
    },
    arrived: ({ peer: id, file, index, bytes }, nowMs) => {
      const chunk = table.chunkAt(file, index)
      const isNew = !table.isDone(chunk)
      if (isNew) table.done(chunk)
      else twiceBytes += bytes
      const peer = peers.get(id)
      const asked = peer?.asks.get(chunk)
      const losers = [...(askers.get(chunk) ?? [])].filter((other) => other !== peer)
      // They may have sent it by now.
      twiceBytes += losers.length * bytes
      if (peer !== undefined && asked !== undefined) {
        peer.denials = 0
        peer.pace.arrived(asked.own, bytes, nowMs)
        line.arrived(asked.all, bytes, nowMs)
        end(peer, chunk)
      }
      for (const loser of losers) end(loser, chunk)
      return { isNew, cancel: losers.map((loser) => ({ ...table.placeOf(chunk), peer: loser.id })) }
    },
    denied: ({ peer: id, file, index }) => {
      const peer = peers.get(id)
      if (peer === undefined) return false
      const chunk = table.chunkAt(file, index)
      end(peer, chunk)
      table.deny(id, chunk)
      return ++peer.denials >= SWARM_LIMITS.deniedMax
    },
    silentPeers: (nowMs) => {
      const silenceMs = silence()
      return [...peers.values()]
        .filter(({ asks, pace }) => asks.size > 0 && nowMs - pace.progressMs > silenceMs)
        .map(({ id }) => id)
    },
    get silenceMs() {
      return silence()
    },
    peers: () =>
      [...peers.values()].map(({ id, pace, asks }) => ({
        peer: id,
        bytesPerSecond: pace.rate === undefined ? undefined : pace.rate * 1_000,
        underWay: asks.size,
      })),
    get leftBytes() {
      return table.leftBytes
    },
    get totalBytes() {
      return table.totalBytes
    },
    get underWay() {
      return underWay
    },
    missingEverywhere: table.missingEverywhere,
  }
}
