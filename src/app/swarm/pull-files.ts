/**
 * Files by their names from many peers at once: what the schedule decides is asked, what comes is noted, and who lies is asked no more. What is here already
 * is not asked for, so that a download goes on after any end. Bytes of chunks do not pass through here (app/shards/chunk-source.ts).
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { type Milliseconds, milliseconds, type PeerId } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { SHARD_LIMITS, SWARM_LIMITS } from '../../base/swarm-limits.ts'
import type { ChunkOutcome, ChunkSource, FileId } from '../shards/chunk-source.ts'
import { createByteCap } from './byte-cap.ts'
import { type Contacts, createContacts, type SwarmPeers } from './contacts.ts'
import { createHoldingsLook } from './holdings-look.ts'
import { whoMakesRoom } from './make-room.ts'
import { type Missing, nothingComes } from './pull-failure.ts'
import { createRateMeter, type PullProgress } from './pull-progress.ts'
import { type Ask, createSchedule } from './schedule.ts'
import { createWantedFiles, type PullStore, type WantedFile } from './wanted-files.ts'

export interface PullOptions {
  readonly files: readonly FileId[]
  readonly store: PullStore
  readonly peers: SwarmPeers
  /** So that those who download the same take other chunks first. */
  readonly seed: bigint
  /** Bytes per second at most; undefined: as many as come. */
  readonly downBytesPerSecond?: number | undefined
  /** Fails when nothing has come for so long; undefined: waits for peers without end. */
  readonly patienceMs?: number | undefined
  /** Once a second, and at the end. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined
}

export interface PulledFiles {
  readonly totalBytes: number
  /** Was here before. */
  readonly keptBytes: number
  /** Of chunks that were stored, by the peers that sent them. */
  readonly from: ReadonlyMap<PeerId, number>
  /** What came over the wire, with what was of no use. */
  readonly receivedBytes: number
  readonly banned: number
}

const TICK_MS = milliseconds(1_000)

interface PeerState {
  readonly source: ChunkSource
  readonly stop: AbortController
  /** Chunks that the source has not settled yet; those that were given up are among them for a moment. */
  readonly calls: Set<Promise<unknown>>
}

/** @throws SwarmError SWARM_NO_PEER, SWARM_INCOMPLETE; what the store throws; the signal's reason. What came stays for the next time. */
export async function pullFiles(
  options: PullOptions,
  ports: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<PulledFiles> {
  signal.throwIfAborted()
  const pull = createPull(options, ports, signal)
  try {
    await pull.run()
    return pull.result()
  } finally {
    await pull.close()
  }
}

interface Pull {
  run(): Promise<void>
  result(): PulledFiles
  close(): Promise<void>
}

function createPull(
  options: PullOptions,
  ports: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Pull {
  const { clock } = ports
  const { patienceMs = Number.POSITIVE_INFINITY } = options
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal])
  const schedule = createSchedule(options.seed)
  const cap = createByteCap(options.downBytesPerSecond, clock.now())
  const meter = createRateMeter()
  const peers = new Map<PeerId, PeerState>()
  /** By their numbers in the schedule. */
  const numbered: WantedFile[] = []
  const asked = new Map<string, AbortController>()
  const running = new Set<Promise<void>>()
  const from = new Map<PeerId, number>()
  const finished = Promise.withResolvers<void>()
  let contacts: Contacts | undefined
  let storedBytes = 0
  /** Of sources that are gone. */
  let goneBytes = 0
  let workedMs = clock.now()
  let roomMs = clock.now()
  let cancelWake: () => void = () => undefined

  const files = createWantedFiles({
    files: eachOnce(options.files),
    store: options.store,
    signal: stop,
    onFailure: (error) => over.abort(error),
    onBegun: (file, have) => {
      const number = schedule.addFile(file.id.bytes, have)
      numbered[number] = file
      workedMs = clock.now()
      for (const peer of peers.keys()) schedule.setHoldings(peer, number, look.mapOf(peer, file))
      pump()
    },
    onWhole: () => {
      if (files.areWhole) finished.resolve()
    },
  })
  const look = createHoldingsLook(files, {
    onMap: (peer, file, map) => {
      const number = numbered.indexOf(file)
      if (number >= 0 && peers.has(peer)) schedule.setHoldings(peer, number, map)
    },
    onLooked: () => pump(),
    onUseless: (peer) => drop(peer, 'lose'),
    onLie: (peer) => {
      options.peers.blame(peer)
      drop(peer, 'ban')
    },
  })
  const drop = (peer: PeerId, how: 'lose' | 'ban'): void => {
    const state = peers.get(peer)
    if (state === undefined) return
    peers.delete(peer)
    goneBytes += state.source.bytesReceived
    state.stop.abort(new Error('nothing more is asked of this peer'))
    schedule.dropPeer(peer)
    look.forget(peer)
    contacts?.[how](peer)
    pump()
  }
  const addSource = (source: ChunkSource): void => {
    const state = { source, stop: new AbortController(), calls: new Set<Promise<unknown>>() }
    peers.set(source.peer, state)
    schedule.addPeer(source.peer, clock.now())
    look.add(source, clock.now(), AbortSignal.any([stop, state.stop.signal]))
  }
  const stored = (ask: Ask): void => {
    const { isNew, cancel } = schedule.arrived(ask, clock.now())
    for (const loser of cancel) asked.get(keyOf(loser))?.abort(new Error('another peer was sooner'))
    if (!isNew) return
    files.note(numbered[ask.file]!, ask.index)
    storedBytes += ask.bytes
    workedMs = clock.now()
    from.set(ask.peer, (from.get(ask.peer) ?? 0) + ask.bytes)
    contacts?.praise(ask.peer)
  }
  const settle = (ask: Ask, outcome: ChunkOutcome): void => {
    if (outcome === 'stored') stored(ask)
    else if (outcome === 'bad') drop(ask.peer, 'ban')
    else if (schedule.denied(ask)) drop(ask.peer, 'lose')
  }
  const fetch = async (ask: Ask, { source, stop: lost, calls }: PeerState): Promise<void> => {
    const cancel = new AbortController()
    asked.set(keyOf(ask), cancel)
    const file = numbered[ask.file]!
    const until = AbortSignal.any([stop, lost.signal, cancel.signal])
    try {
      while (calls.size >= SHARD_LIMITS.chunksAskedMax) await Promise.race(calls)
      until.throwIfAborted()
      const call = source.chunk(file.id, ask.index, files.targetOf(file, ask.index), until)
      const settled: Promise<unknown> = call.catch(() => undefined).then(() => calls.delete(settled))
      calls.add(settled)
      settle(ask, await call)
    } catch (error) {
      if (until.aborted) return
      if (isLoss(error)) drop(ask.peer, 'lose')
      else over.abort(error)
    } finally {
      if (asked.get(keyOf(ask)) === cancel) asked.delete(keyOf(ask))
    }
  }
  const pump = (): void => {
    cancelWake()
    while (!stop.aborted) {
      const nowMs = clock.now()
      if (!cap.isOpen(nowMs)) {
        cancelWake = clock.schedule(milliseconds(Math.max(1, cap.waitMs(nowMs))), pump)
        return
      }
      const [ask] = schedule.next(nowMs, 1)
      if (ask === undefined) return
      cap.spend(ask.bytes)
      const one = fetch(ask, peers.get(ask.peer)!).finally(() => {
        running.delete(one)
        pump()
      })
      running.add(one)
    }
  }
  const receivedBytes = (): number =>
    [...peers.values()].reduce((sum, { source }) => sum + source.bytesReceived, goneBytes)
  const progress = (): PullProgress => {
    const leftBytes = schedule.leftBytes + files.unscheduledBytes
    const bytesPerSecond = meter.bytesPerSecond()
    return {
      ...{ doneBytes: files.totalBytes - leftBytes, totalBytes: files.totalBytes, keptBytes: files.keptBytes },
      ...{ receivedBytes: receivedBytes(), from, bytesPerSecond },
      banned: contacts?.counts().banned ?? 0,
      heldFiles: files.heldCount,
      peers: schedule.peers().filter(({ underWay }) => underWay > 0).length,
      secondsLeft: bytesPerSecond > 0 ? leftBytes / bytesPerSecond : undefined,
    }
  }
  /** So that slow peers do not keep all others out. */
  const makeRoom = (nowMs: Milliseconds): void => {
    if (contacts?.counts().isCrowded !== true || nowMs - roomMs < SWARM_LIMITS.roomMs) return
    roomMs = nowMs
    const peer = whoMakesRoom(schedule.peers())
    if (peer !== undefined) drop(peer, 'lose')
  }
  const missing = (): Missing => ({
    isEmptyHanded: storedBytes === 0 && peers.size === 0,
    left: files.all.filter(({ state }) => state !== 'whole').length,
  })
  const tick = async (): Promise<void> => {
    for (;;) {
      const nowMs = clock.now()
      meter.note(storedBytes, nowMs)
      options.onProgress?.(progress())
      for (const peer of schedule.silentPeers(nowMs)) drop(peer, 'lose')
      look.again(nowMs)
      makeRoom(nowMs)
      if ((await files.lookAtHeld()) || files.areBusy) workedMs = nowMs
      // On a slow line a chunk may take longer than anybody's patience.
      const waitMs = schedule.underWay > 0 ? Math.max(patienceMs, schedule.silenceMs) : patienceMs
      if (nowMs - workedMs > waitMs) over.abort(files.hindrance ?? nothingComes(contacts!.counts(), missing()))
      await files.open()
      pump()
      await clock.sleep(TICK_MS, stop)
    }
  }

  return {
    run: async () => {
      await files.open()
      if (files.areWhole) return
      workedMs = clock.now()
      contacts = createContacts(options.peers, addSource, ports)
      await Promise.race([finished.promise, tick()])
      options.onProgress?.(progress())
    },
    result: () => ({
      ...{ totalBytes: files.totalBytes, keptBytes: files.keptBytes, from },
      receivedBytes: receivedBytes(),
      banned: contacts?.counts().banned ?? 0,
    }),
    close: async () => {
      over.abort(new Error('the download is over'))
      cancelWake()
      await contacts?.close()
      await Promise.all(running)
      await files.close()
    },
  }
}

/** The peer, and not the disk. */
function isLoss(error: unknown): boolean {
  return /^(CHUNK_SOURCE|WIRE|LINK)_/.test(codeOf(error) ?? '')
}

function keyOf({ peer, file, index }: Ask): string {
  return `${peer} ${file} ${index}`
}

function eachOnce(files: readonly FileId[]): FileId[] {
  return [...new Map(files.map((file) => [file.root, file])).values()]
}
