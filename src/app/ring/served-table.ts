/**
 * The runs of segments that a stage server serves, which change while it runs, and the sessions of each. Knows no channels.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { EngineHost } from '../engine-host.ts'
import { freeShare } from '../posts/shares.ts'
import type { ServedSegments } from './check-open.ts'

export interface ServedTable {
  /** Those that sessions may open with now, in the order in which sessions choose: the same array, as it changes. */
  readonly all: readonly ServedSegments[]
  add(served: ServedSegments): void
  /** Leaving: sessions go there only where no other run has what they ask for, and no place waits for them. */
  setLeaving(served: ServedSegments, isLeaving: boolean): void
  /** Sessions may open there no more. */
  remove(served: ServedSegments): void
  /** Sessions that may open there now. */
  free(host: EngineHost): number
  /** A session begins there; the function ends it, once. */
  enter(host: EngineHost): () => void
  /** Resolves when it has no session. */
  empty(host: EngineHost): Promise<void>
}

interface Place {
  used: number
  isLeaving: boolean
  isGone: boolean
  onEmpty: (() => void)[]
}

export function createServedTable(first: readonly ServedSegments[]): ServedTable {
  const all: ServedSegments[] = []
  const places = new Map<EngineHost, Place>()

  const placeOf = (host: EngineHost): Place => {
    const place = places.get(host)
    assert(place, 'a run is in the table until its last session has ended')
    return place
  }
  const add = (served: ServedSegments): void => {
    assert(!places.has(served.host), 'each run has an engine of its own')
    all.push(served)
    places.set(served.host, { used: 0, isLeaving: false, isGone: false, onEmpty: [] })
  }
  const tidy = (host: EngineHost, place: Place): void => {
    if (place.used > 0) return
    for (const tell of place.onEmpty.splice(0)) tell()
    if (place.isGone) places.delete(host)
  }
  first.forEach(add)

  return {
    all,
    add,
    setLeaving(served, isLeaving) {
      placeOf(served.host).isLeaving = isLeaving
      all.splice(all.indexOf(served), 1)
      if (isLeaving) all.push(served)
      else all.unshift(served)
    },
    remove(served) {
      const place = placeOf(served.host)
      place.isLeaving = true
      place.isGone = true
      all.splice(all.indexOf(served), 1)
      tidy(served.host, place)
    },
    free(host) {
      const own = placeOf(host)
      const others = [...places.values()].filter((place) => place !== own)
      return freeShare(SESSION_LIMITS.sessionsMax, own, others)
    },
    enter(host) {
      const place = placeOf(host)
      let isOver = false
      place.used++
      return () => {
        if (isOver) return
        isOver = true
        place.used--
        tidy(host, place)
      }
    },
    async empty(host) {
      const place = places.get(host)
      if (place === undefined || place.used === 0) return
      await new Promise<void>((resolve) => place.onEmpty.push(resolve))
    },
  }
}
