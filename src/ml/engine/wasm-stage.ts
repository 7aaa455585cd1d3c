/**
 * One stage of the wasm engine: weights and caches in shared memory, passes by native code.
 * Spec: docs/spec/numerics.md §1, §6; structures: native/exact1.h.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import type { ModelConfig } from '../config.ts'
import type { LayerRange } from '../tensors.ts'
import { createPagePool, type PagedCache, type PagePool } from './cache-pages.ts'
import { type CacheTable, createCacheTable } from './cache-table.ts'
import type { CacheId, Stage, StageOptions, StepInput, StepOutput } from './engine.ts'
import { createStepRunner } from './step-runner.ts'
import { createWasmHeap } from './wasm-heap.ts'
import type { StartWasmHelper, WasmHelper } from './wasm-helper.ts'
import { SYNC_BYTES } from './wasm-layout.ts'
import { createWasmPages, type WasmTable } from './wasm-pages.ts'
import { createPassRunner, type PassRunner } from './wasm-pass.ts'
import { instantiate, type WasmExports, type WasmModule } from './wasm-types.ts'
import { loadWeights } from './wasm-weights.ts'

export interface WasmStageOptions extends StageOptions {
  readonly module: WasmModule
  readonly threads: number
  readonly bytesPerThread: number
  readonly startHelper: StartWasmHelper
  readonly helperStartMs: number
}

const STACK_BYTES = 131_072

export class WasmStage implements Stage {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weightBytes: number
  readonly #exports: WasmExports
  readonly #sync: number
  readonly #helpers: readonly WasmHelper[]
  readonly #passes: PassRunner
  readonly #pages: PagePool<WasmTable>
  readonly #caches: CacheTable<PagedCache<WasmTable>>
  readonly #run: (batch: readonly StepInput[]) => StepOutput[]

  constructor(options: WasmStageOptions) {
    const { config, range, module, threads, startHelper } = options
    assert(config.headSize <= ENGINE_LIMITS.headSizeMax, 'a head fits its scratch')
    this.config = config
    this.range = range
    const heap = createWasmHeap()
    this.#exports = instantiate(module, heap.memory)
    this.#sync = heap.reserve(SYNC_BYTES)
    const weights = loadWeights({ config, range, weights: options.weights, heap, exports: this.#exports })
    this.weightBytes = weights.bytes
    this.#passes = createPassRunner({
      config,
      range,
      heap,
      weights,
      threads,
      bytesPerThread: options.bytesPerThread,
      runJob: (job, team) => this.#exports.run_job(this.#sync, job, team),
    })
    this.#caches = createCacheTable(options)
    this.#pages = createPagePool(createWasmPages(heap, config))
    this.#run = createStepRunner({
      config,
      caches: this.#caches,
      prepare: this.#pages.prepare,
      runPass: this.#passes.run,
    })
    const { memory } = heap
    this.#helpers = Array.from({ length: threads - 1 }, () =>
      startHelper({ module, memory, sync: this.#sync, stack: heap.reserve(STACK_BYTES) + STACK_BYTES }),
    )
    this.#exports.await_helpers(this.#sync, threads - 1, options.helperStartMs)
  }

  openCache(capacity: number, part?: LayerRange): CacheId {
    return this.#caches.open({ capacity, part }, ({ firstLayer, lastLayer }) => {
      this.#passes.allowPositions(capacity)
      return this.#pages.open(capacity, lastLayer - firstLayer)
    })
  }

  cacheLength(cache: CacheId): number {
    return this.#caches.get(cache).length
  }

  closeCache(id: CacheId): void {
    this.#pages.close(this.#caches.get(id).memory)
    this.#caches.close(id)
  }

  shareCache(from: CacheId, to: CacheId, rows: number): void {
    this.#caches.share({ from, to, rows }, (source, target) => this.#pages.share(source.memory, target.memory, rows))
  }

  run(batch: readonly StepInput[]): StepOutput[] {
    return this.#run(batch)
  }

  close(): void {
    this.#exports.stop_helpers(this.#sync)
    for (const helper of this.#helpers) helper.stop()
  }
}
