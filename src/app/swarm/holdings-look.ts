/**
 * What peers have of the files of a download: asked at first, and again while they do not have all, since they may be downloading too. Also where lists of
 * leaves come from: one peer after the other, until one tells the right ones.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import type { Milliseconds, PeerId } from '../../base/brand.ts'
import { SWARM_LIMITS } from '../../base/swarm-limits.ts'
import { fullMap } from '../shards/chunk-map.ts'
import type { ChunkMap, ChunkSource } from '../shards/chunk-source.ts'
import type { WantedFile, WantedFiles } from './wanted-files.ts'

export interface HoldingsLook {
  /** Asks a new peer. `signal` fires when nothing is asked of it any more. */
  add(source: ChunkSource, nowMs: Milliseconds, signal: AbortSignal): void
  forget(peer: PeerId): void
  mapOf(peer: PeerId, file: WantedFile): ChunkMap | undefined
  /** Asks those anew whose time has come. */
  again(nowMs: Milliseconds): void
}

export interface LookEvents {
  readonly onMap: (peer: PeerId, file: WantedFile, map: ChunkMap | undefined) => void
  /** A peer has told all. */
  readonly onLooked: () => void
  /** The peer is lost, or has nothing. */
  readonly onUseless: (peer: PeerId) => void
  /** The peer told leaves that are not those of the file. */
  readonly onLie: (peer: PeerId) => void
}

interface Looked {
  readonly source: ChunkSource
  readonly signal: AbortSignal
  readonly maps: Map<WantedFile, ChunkMap>
  /** Files of which this peer did not tell the leaves. */
  readonly mute: Set<WantedFile>
  isLooking: boolean
  lookedMs: Milliseconds
}

/** Questions to one peer at once. */
const QUESTIONS = 8

export function createHoldingsLook(files: Pick<WantedFiles, 'all' | 'takeLeaves'>, events: LookEvents): HoldingsLook {
  const peers = new Map<PeerId, Looked>()
  /** Files whose leaves somebody is asked for. */
  const asking = new Set<WantedFile>()

  const ask = async (looked: Looked, file: WantedFile): Promise<void> => {
    const map = await looked.source.holdings(file.id, looked.signal)
    if (map === undefined || map.every((byte) => byte === 0)) looked.maps.delete(file)
    else looked.maps.set(file, map)
    events.onMap(looked.source.peer, file, looked.maps.get(file))
  }
  const look = async (looked: Looked): Promise<void> => {
    const { source, signal } = looked
    const wanted = files.all.filter(({ state }) => state !== 'whole')
    looked.isLooking = true
    try {
      const lane = async (): Promise<void> => {
        for (let file = wanted.shift(); file !== undefined; file = wanted.shift()) await ask(looked, file)
      }
      await Promise.all(Array.from({ length: QUESTIONS }, lane))
    } catch {
      if (!signal.aborted) events.onUseless(source.peer)
      return
    } finally {
      looked.isLooking = false
    }
    if (signal.aborted) return
    if (looked.maps.size === 0) return events.onUseless(source.peer)
    seekLeaves()
    events.onLooked()
  }
  const askLeaves = async ({ source, signal, mute }: Looked, file: WantedFile): Promise<void> => {
    const { peer } = source
    try {
      const leaves = await source.leaves(file.id, signal)
      mute.add(file)
      if (leaves !== undefined && !files.takeLeaves(file, leaves)) events.onLie(peer)
    } catch {
      if (!signal.aborted) events.onUseless(peer)
    }
  }
  const seekLeaves = (): void => {
    for (const file of files.all) {
      if (file.state !== 'waiting' || asking.has(file)) continue
      const from = [...peers.values()].find(({ maps, mute }) => maps.has(file) && !mute.has(file))
      if (from === undefined) continue
      asking.add(file)
      void askLeaves(from, file).finally(() => {
        asking.delete(file)
        seekLeaves()
      })
    }
  }
  const hasAll = ({ maps }: Looked): boolean =>
    files.all.every((file) => {
      const map = maps.get(file)
      return file.state === 'whole' || (map !== undefined && isFull(map, file.id.bytes))
    })

  return {
    add: (source, lookedMs, signal) => {
      const looked: Looked = { source, signal, maps: new Map(), mute: new Set(), isLooking: false, lookedMs }
      peers.set(source.peer, looked)
      void look(looked)
    },
    forget: (peer) => {
      peers.delete(peer)
      seekLeaves()
    },
    mapOf: (peer, file) => peers.get(peer)?.maps.get(file),
    again: (nowMs) => {
      for (const looked of peers.values()) {
        if (looked.isLooking || nowMs - looked.lookedMs < SWARM_LIMITS.lookMs || hasAll(looked)) continue
        looked.lookedMs = nowMs
        // Who did not know the leaves may know them now.
        looked.mute.clear()
        void look(looked)
      }
    },
  }
}

function isFull(map: ChunkMap, bytes: number): boolean {
  return fullMap(bytes).every((byte, index) => byte === map[index])
}
