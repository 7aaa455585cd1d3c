/**
 * The engine seam: one stage (a contiguous layer range) executed for many sessions. Every engine of the exact
 * class gives the same bits (docs/spec/numerics.md) for any batch, chunking, split and number of threads.
 * Synchronous: whoever must not block runs the engine in a worker thread (app/engine-host.ts).
 * @module
 */
import { HouseError } from '../../base/error.ts'
import type { ModelConfig } from '../config.ts'
import type { LayerRange, WeightSource } from '../tensors.ts'

export class EngineError extends HouseError<
  | 'ENGINE_NOT_FINITE'
  | 'ENGINE_OUT_OF_MEMORY'
  | 'ENGINE_BAD_TOKEN'
  | 'ENGINE_BAD_POSITION'
  | 'ENGINE_BAD_INPUT'
  | 'ENGINE_UNAVAILABLE'
> {}

export type EngineName = 'reference' | 'wasm' | 'native'

/** Engines that compute elsewhere and answer later. */
export type DeviceEngineName = 'tfjs' | 'webgpu'

/** Handle of one session's key/value cache inside one stage. */
export type CacheId = number

/** What one session wants computed: `rows` consecutive positions starting at `position`. */
export interface StepInput {
  readonly cache: CacheId
  /** Absolute position of the first row. At most the number of valid positions; later ones become invalid. */
  readonly position: number
  readonly input:
    | { readonly type: 'tokens'; readonly tokens: Int32Array } // (rows); parts with the embedding
    | { readonly type: 'hidden'; readonly values: Float32Array } // (rows, hidden); all others
  /** Which rows' logits a part with the head returns; ignored elsewhere. */
  readonly logits: 'none' | 'last' | 'all'
  /** Of these rows only the id of the largest logit is asked for (numerics.md §8.2). Engines may say it (`largest`), or give logits all the same. Default: no. */
  readonly largestOnly?: boolean
}

export type StepOutput =
  | { readonly type: 'hidden'; readonly values: Float32Array } // (rows, hidden)
  /** `values` (0 | 1 | rows, vocabulary); or none, and `largest` (0 | 1 | rows): of each row the id of the largest logit, the lowest among equals. */
  | { readonly type: 'logits'; readonly values: Float32Array; readonly largest?: Int32Array }
  | { readonly type: 'failed'; readonly error: EngineError } // this session only; the others of the batch are unharmed

export interface StageOptions {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weights: WeightSource
  /** Bound on the key/value caches of all sessions together, in bytes. */
  readonly cacheBytesMax: number
}

export interface Stage {
  readonly config: ModelConfig
  readonly range: LayerRange
  /** Bytes of weights held. */
  readonly weightBytes: number
  /**
   * Reserves a cache for `capacity` positions (`cacheBytes`); throws ENGINE_OUT_OF_MEMORY over the bound. A cache that is open never
   * lacks memory. Its steps run through `part` alone, as through a stage of that range, and it takes memory for these layers only.
   * Default: the stage's range.
   */
  openCache(capacity: number, part?: LayerRange): CacheId
  /** Valid positions of a cache. */
  cacheLength(cache: CacheId): number
  closeCache(cache: CacheId): void
  /**
   * `to` takes over the first `rows` positions of `from`, as if it had computed them. Both are open caches of one part, `to` has no
   * valid position, and `rows` are at most those of `from` and the room of `to`. What is computed in one of them later changes no bit
   * of the other; they close in any order.
   */
  shareCache(from: CacheId, to: CacheId, rows: number): void
  /**
   * Runs a batch. Outputs are in the order of the inputs. A session may occur once in a batch. Sessions of different
   * parts share no work, and change no bit of each other.
   * Outputs are copies: the caller may keep or transfer them.
   */
  run(batch: readonly StepInput[]): StepOutput[]
  /** Frees memory and threads. */
  close(): void
}

export interface Engine {
  readonly name: EngineName
  createStage(options: StageOptions): Stage
}

/** A stage on a device that answers later. As Stage, but for what takes time there. */
export interface DeviceStage
  extends Pick<Stage, 'config' | 'range' | 'weightBytes' | 'openCache' | 'cacheLength' | 'closeCache' | 'shareCache'> {
  /**
   * As Stage.run; one run at a time. Rejects with ENGINE_UNAVAILABLE when the device is gone; ENGINE_OUT_OF_MEMORY of
   * a cache that the device had no memory for shows here, as a step that failed.
   */
  run(batch: readonly StepInput[]): Promise<StepOutput[]>
  /** Resolves, with the reason, when the device is gone although nobody closed the stage; else never. */
  readonly lost: Promise<EngineError>
  /** Frees the device's memory. The device belongs to whoever opened it. */
  close(): Promise<void>
}

export interface DeviceEngine {
  readonly name: DeviceEngineName
  /** `exact`: the bits of exact-1. `float`: near them; its results are compared within a tolerance. */
  readonly numbers: 'exact' | 'float'
  /** Throws ENGINE_OUT_OF_MEMORY, ENGINE_UNAVAILABLE. */
  createStage(options: StageOptions): Promise<DeviceStage>
}

/** Positions by which the memory of a cache is counted, and taken by engines of the processor: PAGE_POSITIONS of native/exact1.h. */
export const PAGE_POSITIONS = 64

/** Bytes that a cache for `capacity` positions counts for: whole pages, shared or not. */
export function cacheBytes(config: ModelConfig, range: LayerRange, capacity: number): number {
  const pages = Math.ceil(capacity / PAGE_POSITIONS)
  return pages * PAGE_POSITIONS * cacheBytesPerPosition(config, range)
}

/** Bytes that one position of one session's cache takes in this range: keys and values, f32. */
function cacheBytesPerPosition(config: ModelConfig, range: LayerRange): number {
  return (range.lastLayer - range.firstLayer) * config.keyValueHeadCount * config.headSize * 2 * 4
}
