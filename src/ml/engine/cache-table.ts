/**
 * The caches of one stage: which part of its range each of them computes, how far it is, and what all of them take. The
 * same for every engine; what a cache's memory is, the engine knows.
 * Spec: docs/spec/numerics.md §1, §10.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { LayerRange } from '../tensors.ts'
import { type CacheId, cacheBytes, EngineError, type StageOptions } from './engine.ts'

export interface Cache<Memory> {
  /** Valid positions. */
  length: number
  readonly capacity: number
  /** What its steps run through. Caches of equal parts have the same object. */
  readonly part: LayerRange
  readonly memory: Memory
}

export interface CacheTable<Memory> {
  /** Throws ENGINE_OUT_OF_MEMORY over the bound, and what `reserve` throws; neither leaves anything behind. */
  open(asked: { capacity: number; part: LayerRange | undefined }, reserve: (part: LayerRange) => Memory): CacheId
  get(id: CacheId): Cache<Memory>
  /** Stage.shareCache; `copy` sees to it that the memory of `to` has the rows. */
  share(
    asked: { from: CacheId; to: CacheId; rows: number },
    copy: (from: Cache<Memory>, to: Cache<Memory>) => void,
  ): void
  close(id: CacheId): void
}

export function createCacheTable<Memory>(
  stage: Pick<StageOptions, 'config' | 'range' | 'cacheBytesMax'>,
): CacheTable<Memory> {
  const { config, range, cacheBytesMax } = stage
  const caches = new Map<CacheId, Cache<Memory>>()
  let bytesOpen = 0
  let nextId: CacheId = 1

  const bytesOf = (capacity: number, part: LayerRange) => cacheBytes(config, part, capacity)

  const get = (id: CacheId): Cache<Memory> => {
    const cache = caches.get(id)
    assert(cache, 'the cache is open')
    return cache
  }

  return {
    open(asked, reserve) {
      const { capacity } = asked
      const part = oneOf([range, ...[...caches.values()].map((cache) => cache.part)], asked.part ?? range)
      assert(isPartOf(range, part), 'a cache is for layers and ends that the stage has')
      const bytes = bytesOf(capacity, part)
      if (bytesOpen + bytes > cacheBytesMax) {
        throw new EngineError('ENGINE_OUT_OF_MEMORY', 'This miner has no memory left for another session.', {
          details: { capacity, bytes, free: cacheBytesMax - bytesOpen },
        })
      }
      const memory = reserve(part)
      bytesOpen += bytes
      const id = nextId++
      caches.set(id, { length: 0, capacity, part, memory })
      return id
    },
    get,
    share(asked, copy) {
      const [from, to] = [get(asked.from), get(asked.to)]
      const { rows } = asked
      assert(from !== to && from.part === to.part, 'positions are shared by two caches of one part')
      assert(to.length === 0, 'a cache that takes positions over has none')
      assert(Number.isInteger(rows) && rows >= 0 && rows <= from.length, 'positions that are shared are valid')
      assert(rows <= to.capacity, 'a cache has room for the positions that it takes over')
      copy(from, to)
      to.length = rows
    },
    close(id) {
      const { capacity, part } = get(id)
      bytesOpen -= bytesOf(capacity, part)
      caches.delete(id)
    },
  }
}

/** The one of `known` that says the same as `wanted`, or `wanted`. */
function oneOf(known: readonly LayerRange[], wanted: LayerRange): LayerRange {
  return known.find((one) => isPartOf(one, wanted) && isPartOf(wanted, one)) ?? wanted
}

function isPartOf(range: LayerRange, part: LayerRange): boolean {
  const { firstLayer, lastLayer, hasEmbedding, hasHead } = part
  const isRun = Number.isInteger(firstLayer) && Number.isInteger(lastLayer) && firstLayer <= lastLayer
  const isInside = firstLayer >= range.firstLayer && lastLayer <= range.lastLayer
  // The ends stand outside the layers: who has them runs to them.
  const hasStart = !hasEmbedding || (range.hasEmbedding && firstLayer === range.firstLayer)
  const hasEnd = !hasHead || (range.hasHead && lastLayer === range.lastLayer)
  return isRun && isInside && hasStart && hasEnd
}
