/**
 * Caches of sessions that have ended, kept for later sessions of the same client, with what is remembered of them. They are bounded in number, time and
 * memory, and the first to go when a session needs memory.
 * Spec: docs/spec/wire.md §4.10.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { PREFIX_LIMITS } from '../../base/prefix-limits.ts'
import type { CacheId } from '../../ml/engine/engine.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { EngineHost } from '../engine-host.ts'
import { createPrefixMemory, type MemoryShape, type OutputRoom, type PrefixMemory } from './prefix-memory.ts'
import { settled } from './settled.ts'

export type PrefixBounds = { readonly [Name in keyof typeof PREFIX_LIMITS]: number }

/** Whose caches they are, and of what: only sessions with all of it alike share them. */
export interface CacheOwner {
  /** Who the client is: nobody else may learn, by the time that it takes, what it has asked. */
  readonly client: string
  readonly host: EngineHost
  readonly part: LayerRange
}

export interface PrefixShelf {
  /** What is kept goes when this engine has no memory for a cache. */
  meet(host: EngineHost): void
  /** The part of it that a session sees. */
  placeFor(owner: CacheOwner): ShelfPlace
  /** An engine is about to go: nothing of it is kept any more. */
  leave(host: EngineHost): Promise<void>
  /** Nothing is kept any more. */
  close(): Promise<void>
  /** Caches that are kept now. */
  readonly parked: number
}

export interface ShelfPlace {
  createMemory(shape: MemoryShape): PrefixMemory
  /** Whether anything of the client's is kept. */
  hasAny(): boolean
  /** The one that agrees with all that `memory` has before `position`, and with the most rows of `keys` from there on, if these are more than `least`. */
  find(
    memory: PrefixMemory,
    rows: { readonly position: number; readonly keys: Int32Array },
    least: number,
  ): Parked | undefined
  /** Keeps a cache, which is at rest, or closes it. */
  park(cache: CacheId, memory: PrefixMemory): Promise<void>
}

export interface Parked {
  readonly cache: CacheId
  readonly memory: PrefixMemory
  /** While somebody shares it, it stays if it can, and in any case its cache stays open. */
  use<Result>(work: () => Promise<Result>): Promise<Result>
}

interface Entry extends Parked {
  readonly owner: CacheOwner
  readonly isInUse: boolean
  /** Resolves when nobody uses it. */
  unused(): Promise<void>
  isGone: boolean
  stop: () => void
}

export function createPrefixShelf(bounds: PrefixBounds, { clock }: { clock: Clock }): PrefixShelf {
  /** The one that was used last is at the end. */
  const entries: Entry[] = []
  const known = new WeakSet<EngineHost>()
  const gone = new WeakSet<EngineHost>()
  let isClosed = false

  const evict = async (entry: Entry): Promise<void> => {
    if (entry.isGone) return
    entry.isGone = true
    entry.stop()
    entries.splice(entries.indexOf(entry), 1)
    entry.memory.cut(0)
    if (entry.isInUse) await entry.unused()
    await entry.owner.host.closeCache(entry.cache).catch(() => undefined)
  }
  const evictAll = async (some: (entry: Entry) => boolean): Promise<void> => {
    await Promise.all(entries.filter(some).map(evict))
  }
  const oldest = (some: (entry: Entry) => boolean = () => true): Entry | undefined =>
    entries.find((entry) => !entry.isInUse && some(entry))
  const giveBack = async (): Promise<boolean> => {
    const entry = oldest()
    if (entry !== undefined) await evict(entry)
    return entry !== undefined
  }
  const room = createOutputRoom(bounds.outputBytesMax, () => {
    const entry = oldest(({ memory }) => memory.hasOutputs)
    if (entry !== undefined) void evict(entry)
    return entry !== undefined
  })
  const touch = (entry: Entry): void => {
    entries.push(...entries.splice(entries.indexOf(entry), 1))
    entry.stop()
    entry.stop = clock.schedule(milliseconds(bounds.parkedMsMax), () => void evict(entry))
  }
  const meet = (host: EngineHost): void => {
    if (known.has(host)) return
    known.add(host)
    host.whenFull(giveBack)
    // What was computed elsewhere would be computed again, for nobody.
    void host.leaving?.then(() => evictAll((entry) => entry.owner.host === host))
  }
  const keep = async (owner: CacheOwner, cache: CacheId, memory: PrefixMemory): Promise<void> => {
    const own = entries.filter((entry) => isSame(entry.owner, owner))
    const longer = own.find((entry) => entry.memory.matching(0, memory.keys(memory.rows)) === memory.rows)
    const isWorthIt = memory.rows >= bounds.parkedRowsMin && longer === undefined
    if (longer !== undefined) touch(longer)
    if (!isWorthIt || isClosed || gone.has(owner.host)) {
      memory.cut(0)
      await owner.host.closeCache(cache).catch(() => undefined)
      return
    }
    const shorter = own.filter(
      (entry) => memory.matching(0, entry.memory.keys(entry.memory.rows)) === entry.memory.rows,
    )
    // All of it before anything is waited for: who closes meanwhile, or keeps another one, finds it in its place.
    const leaving = shorter.map(evict)
    const entry = entryOf(owner, cache, memory)
    entries.push(entry)
    touch(entry)
    const ofClient = entries.filter((one) => one.owner.client === owner.client)
    if (ofClient.length > bounds.parkedPerClientMax) leaving.push(evict(ofClient[0]!))
    if (entries.length > bounds.parkedMax) leaving.push(evict(entries[0]!))
    await Promise.all(leaving)
  }

  return {
    meet,
    placeFor(owner) {
      meet(owner.host)
      return {
        createMemory: (shape) => createPrefixMemory(shape, room),
        hasAny: () => entries.some((entry) => isSame(entry.owner, owner)),
        find(memory, { position, keys }, least) {
          const before = memory.keys(position)
          let best: Entry | undefined
          let most = least
          for (const entry of entries) {
            if (!isSame(entry.owner, owner) || entry.memory.matching(0, before) < position) continue
            const rows = entry.memory.matching(position, keys)
            // Of equal ones the one that was used last.
            if (rows < most || rows === least) continue
            best = entry
            most = rows
          }
          if (best !== undefined) touch(best)
          return best
        },
        park: (cache, memory) => keep(owner, cache, memory),
      }
    },
    async leave(host) {
      gone.add(host)
      await evictAll((entry) => entry.owner.host === host)
    },
    async close() {
      isClosed = true
      await evictAll(() => true)
    },
    get parked() {
      return entries.length
    },
  }
}

function entryOf(owner: CacheOwner, cache: CacheId, memory: PrefixMemory): Entry {
  let users = 0
  let unused: Promise<void> = Promise.resolve()
  return {
    ...{ owner, cache, memory, isGone: false, stop: () => undefined },
    async use(work) {
      users++
      const done = work().finally(() => users--)
      unused = settled(unused, done)
      return done
    },
    get isInUse() {
      return users > 0
    },
    unused: () => unused,
  }
}

function isSame(a: CacheOwner, b: CacheOwner): boolean {
  return a.client === b.client && a.host === b.host && isSamePart(a.part, b.part)
}

function isSamePart(a: LayerRange, b: LayerRange): boolean {
  const { firstLayer, lastLayer, hasEmbedding, hasHead } = a
  return (
    firstLayer === b.firstLayer && lastLayer === b.lastLayer && hasEmbedding === b.hasEmbedding && hasHead === b.hasHead
  )
}

/** `makeRoom`: gives something back at once, if it can. */
export function createOutputRoom(bytesMax: number, makeRoom: () => boolean): OutputRoom {
  let bytes = 0
  return {
    hold(piece) {
      if (piece.users === 0) {
        const { byteLength } = piece.values
        while (bytes + byteLength > bytesMax) if (!makeRoom()) return false
        bytes += byteLength
      }
      piece.users++
      return true
    },
    release(piece) {
      piece.users--
      if (piece.users === 0) bytes -= piece.values.byteLength
    },
  }
}
