/**
 * A stage on a GPU that gives the bits of exact-1. Steps are cut into passes of rows of one session; all passes of a run are handed to the device before
 * the first result is waited for. Weights, caches and what is between kernels stay on the device.
 * Spec: docs/spec/numerics.md §1, §6; docs/spec/gpu.md §8.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import type { ModelConfig } from '../../config.ts'
import { joinFloats } from '../../join-floats.ts'
import type { LayerRange } from '../../tensors.ts'
import { type Cache, type CacheTable, createCacheTable } from '../cache-table.ts'
import type { CacheId, DeviceStage, EngineError, StageOptions, StepInput, StepOutput } from '../engine.ts'
import { notFinite } from '../reference-math.ts'
import { checkStep, rowsOf } from '../step-check.ts'
import type { DeviceCache, DeviceCaches } from './device-caches.ts'
import type { DeviceMemory } from './device-memory.ts'
import { FAILURES } from './kernel.ts'
import type { Passes, PassResult } from './passes.ts'

export interface WebgpuStageParts extends Pick<StageOptions, 'config' | 'range' | 'cacheBytesMax'> {
  readonly memory: DeviceMemory
  readonly caches: DeviceCaches
  readonly passes: Passes
  readonly weightBytes: number
  readonly lost: Promise<EngineError>
}

type Refused = StepOutput & { type: 'failed' }

interface RunningStep {
  readonly step: StepInput
  readonly cache: Cache<DeviceCache>
  readonly rows: number
  readonly results: readonly Promise<PassResult>[]
}

export class WebgpuStage implements DeviceStage {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weightBytes: number
  readonly lost: Promise<EngineError>
  readonly #parts: WebgpuStageParts
  readonly #caches: CacheTable<DeviceCache>

  constructor(parts: WebgpuStageParts) {
    this.config = parts.config
    this.range = parts.range
    this.weightBytes = parts.weightBytes
    this.lost = parts.lost
    this.#parts = parts
    this.#caches = createCacheTable(parts)
  }

  openCache(capacity: number, part?: LayerRange): CacheId {
    return this.#caches.open({ capacity, part }, (range) => this.#parts.caches.open(capacity, range))
  }

  cacheLength(cache: CacheId): number {
    return this.#caches.get(cache).length
  }

  closeCache(cache: CacheId): void {
    this.#parts.caches.close(this.#caches.get(cache).memory)
    this.#caches.close(cache)
  }

  shareCache(from: CacheId, to: CacheId, rows: number): void {
    this.#caches.share({ from, to, rows }, (source, target) => {
      this.#parts.caches.copy(source.memory, target.memory, rows)
    })
  }

  async run(batch: readonly StepInput[]): Promise<StepOutput[]> {
    assert(new Set(batch.map((step) => step.cache)).size === batch.length, 'a session occurs once in a batch')
    const refusals = await Promise.all(batch.map((step) => this.#caches.get(step.cache).memory.refusal))
    // From here to the last pass nothing is waited for: a cache that is closed meanwhile would be one that the device is handed no more.
    const caches = batch.map((step) => this.#caches.get(step.cache))
    const steps = batch.map((step, index) => this.#begin(step, caches[index]!, refusals[index]))
    return Promise.all(steps.map((step) => ('results' in step ? this.#end(step) : step)))
  }

  async close(): Promise<void> {
    await this.#parts.passes.idle()
    this.#parts.memory.freeAll()
  }

  #begin(step: StepInput, cache: Cache<DeviceCache>, refusal: EngineError | undefined): RunningStep | Refused {
    const error = checkStep(step, cache, this.config) ?? refusal
    if (error) return { type: 'failed', error }
    const rows = rowsOf(step, this.config)
    // What this step overwrites is lost, whether the step succeeds or not.
    cache.length = step.position
    const results: Promise<PassResult>[] = []
    const rowsMax = cache.memory.rowsMax
    for (let first = 0; first < rows; first += rowsMax) {
      const count = Math.min(rowsMax, rows - first)
      const wanted = wantedOf(step, cache, first + count === rows)
      results.push(
        this.#parts.passes.start({ step, cache, first, count, wanted, largestOnly: isLargestOnly(step, cache) }),
      )
    }
    return { step, cache, rows, results }
  }

  async #end({ step, cache, rows, results }: RunningStep): Promise<StepOutput> {
    const done = await Promise.all(results)
    const failed = done.find(({ failures }) => failures !== 0)?.failures
    if (failed !== undefined) {
      return { type: 'failed', error: notFinite(FAILURES[31 - Math.clz32(failed & -failed)]!) }
    }
    const isHead = cache.part.hasHead
    if (isLargestOnly(step, cache)) {
      cache.length = step.position + rows
      const largest = Int32Array.from(done.flatMap(({ content }) => [...new Int32Array(content)]))
      return { type: 'logits', values: new Float32Array(0), largest }
    }
    const values = joinFloats(done.map(({ content }) => new Float32Array(content)))
    const bad = values.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0) return { type: 'failed', error: notFinite(isHead ? 'the logits' : 'the output of a layer') }
    cache.length = step.position + rows
    return { type: isHead ? 'logits' : 'hidden', values }
  }
}

function isLargestOnly({ largestOnly = false }: StepInput, { part }: Cache<DeviceCache>): boolean {
  return largestOnly && part.hasHead
}

/** What of a pass comes back. */
function wantedOf({ logits }: StepInput, cache: Cache<DeviceCache>, isLast: boolean): 'all' | 'last' | 'none' {
  if (!cache.part.hasHead || logits === 'all') return 'all'
  return logits === 'last' && isLast ? 'last' : 'none'
}
