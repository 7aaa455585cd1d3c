/**
 * A post: a run of segments of one model that a running miner has in an engine and offers. A miner has one or several, and they change while it runs.
 * Spec: docs/spec/posts.md §1.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import type { EngineHost } from '../engine-host.ts'
import type { StoredModel } from '../model-store.ts'
import type { ServedSegments } from '../ring/check-open.ts'

export interface Run {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

/** What a post is to serve. */
export interface PostWish extends Run {
  readonly model: StoredModel
}

/** With its engine. */
export interface PostToServe extends PostWish {
  /** Of exactly these segments. */
  readonly host: EngineHost
  /** For people: engine and threads. */
  readonly device: string
}

export interface Post extends PostToServe {
  /** Of the engine that it has now, as is `device`. */
  speed: Speed
  device: string
  readonly served: ServedSegments
}

export interface Speed {
  readonly stepMs: Milliseconds
  readonly prefillMs: Milliseconds
}

export function sameRun(a: Run, b: Run): boolean {
  return a.firstSegment === b.firstSegment && a.lastSegment === b.lastSegment
}

/** Bytes of the shards of a run, and so about what an engine holds of it. */
export function weightBytesOf({ model, firstSegment, lastSegment }: PostWish): number {
  return model.manifest.segments.slice(firstSegment, lastSegment).reduce((sum, { shard }) => sum + shard.bytes, 0)
}
