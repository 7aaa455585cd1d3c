/**
 * One stage of the wasm engine: weights and caches in shared memory, steps cut into passes of at most 64 rows of any
 * sessions. Rows are independent but for their session's cache, so that passes and neighbours change no bit.
 * Spec: docs/spec/numerics.md §1, §6; structures: native/exact1.h.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import type { ModelConfig } from '../config.ts'
import type { LayerRange } from '../tensors.ts'
import { type Cache, type CacheTable, createCacheTable } from './cache-table.ts'
import type { CacheId, Stage, StageOptions, StepInput, StepOutput } from './engine.ts'
import { notFinite } from './reference-math.ts'
import { checkStep, refuseExtras, rowsOf } from './step-check.ts'
import { type Block, createWasmHeap, type WasmHeap } from './wasm-heap.ts'
import type { StartWasmHelper, WasmHelper } from './wasm-helper.ts'
import { PASS_ROWS_MAX, SYNC_BYTES } from './wasm-layout.ts'
import { createPassRunner, type PassRow, type PassRunner } from './wasm-pass.ts'
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
/** Bits of a session's `failed` word (native/exact1.h), the earliest place first. */
const FAILURES = ['a norm', 'the input of a matrix product', 'attention', 'the output of a layer', 'the logits']

/** A step on its way through the passes of one run. */
interface RunningStep {
  readonly step: StepInput
  readonly cache: Cache<Block>
  readonly rows: number
  readonly values: Float32Array // (rows, hidden) or (logit rows, vocabulary)
  failed: number
}

export class WasmStage implements Stage {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weightBytes: number
  readonly #heap: WasmHeap
  readonly #exports: WasmExports
  readonly #sync: number
  readonly #helpers: readonly WasmHelper[]
  readonly #passes: PassRunner
  readonly #caches: CacheTable<Block>

  constructor(options: WasmStageOptions) {
    const { config, range, module, threads, startHelper } = options
    refuseExtras(config, 'wasm')
    assert(config.headSize <= ENGINE_LIMITS.headSizeMax, 'a head fits its scratch')
    this.config = config
    this.range = range
    const heap = createWasmHeap()
    this.#heap = heap
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
    const { memory } = heap
    this.#helpers = Array.from({ length: threads - 1 }, () =>
      startHelper({ module, memory, sync: this.#sync, stack: heap.reserve(STACK_BYTES) + STACK_BYTES }),
    )
    this.#exports.await_helpers(this.#sync, threads - 1, options.helperStartMs)
  }

  openCache(capacity: number, part?: LayerRange): CacheId {
    return this.#caches.open({ capacity, part }, ({ firstLayer, lastLayer }) => {
      this.#passes.allowPositions(capacity)
      return this.#heap.lend(this.#passes.cacheBytes(capacity, lastLayer - firstLayer))
    })
  }

  cacheLength(cache: CacheId): number {
    return this.#caches.get(cache).length
  }

  closeCache(id: CacheId): void {
    this.#heap.giveBack(this.#caches.get(id).memory)
    this.#caches.close(id)
  }

  run(batch: readonly StepInput[]): StepOutput[] {
    assert(new Set(batch.map((step) => step.cache)).size === batch.length, 'a session occurs once in a batch')
    const steps = batch.map((step) => this.#begin(step))
    const running = steps.filter((step) => 'values' in step)
    // All rows of a pass run through the same layers.
    for (const [part, alike] of Map.groupBy(running, ({ cache }) => cache.part)) {
      for (const pass of passesOf(alike)) this.#runPass(pass, part)
    }
    return steps.map((step) => ('values' in step ? this.#end(step) : step))
  }

  close(): void {
    this.#exports.stop_helpers(this.#sync)
    for (const helper of this.#helpers) helper.stop()
  }

  #begin(step: StepInput): RunningStep | (StepOutput & { type: 'failed' }) {
    const cache = this.#caches.get(step.cache)
    const error = checkStep(step, cache, this.config)
    if (error) return { type: 'failed', error }
    const rows = rowsOf(step, this.config)
    // What this step overwrites is lost, whether the step succeeds or not.
    cache.length = step.position
    const logitRows = step.logits === 'all' ? rows : step.logits === 'last' ? 1 : 0
    const size = cache.part.hasHead ? logitRows * this.config.vocabularySize : rows * this.config.hiddenSize
    return { step, cache, rows, values: new Float32Array(size), failed: 0 }
  }

  #runPass(entries: readonly PassEntry[], part: LayerRange): void {
    const steps = [...new Set(entries.map((entry) => entry.running))]
    const rows: PassRow[] = entries.map(({ running, row }) => ({
      session: steps.indexOf(running),
      cache: running.cache.memory.address,
      capacity: running.cache.capacity,
      position: running.step.position + row,
      ...inputOf(running.step, row, this.config.hiddenSize),
      output: this.#outputOf(running, row),
    }))
    const failed = this.#passes.run(rows, steps.length, part)
    for (const [index, step] of steps.entries()) step.failed |= failed[index]!
  }

  /** Where in the step's values this row's result goes; undefined: nowhere. */
  #outputOf(running: RunningStep, row: number): Float32Array | undefined {
    const { step, cache, rows, values } = running
    if (!cache.part.hasHead) return values.subarray(row * this.config.hiddenSize, (row + 1) * this.config.hiddenSize)
    const size = this.config.vocabularySize
    if (step.logits === 'all') return values.subarray(row * size, (row + 1) * size)
    return step.logits === 'last' && row === rows - 1 ? values : undefined
  }

  #end(running: RunningStep): StepOutput {
    if (running.failed !== 0) {
      const first = 31 - Math.clz32(running.failed & -running.failed)
      return { type: 'failed', error: notFinite(FAILURES[first]!) }
    }
    const { cache, step, rows } = running
    cache.length = step.position + rows
    return { type: cache.part.hasHead ? 'logits' : 'hidden', values: running.values }
  }
}

interface PassEntry {
  readonly running: RunningStep
  readonly row: number
}

/** Rows of all steps in order, in passes. A session that failed in one pass is left out of the next ones. */
function* passesOf(steps: readonly RunningStep[]): Generator<PassEntry[]> {
  let entries: PassEntry[] = []
  for (const running of steps) {
    for (let row = 0; row < running.rows && running.failed === 0; row++) {
      entries.push({ running, row })
      if (entries.length < PASS_ROWS_MAX) continue
      yield entries
      entries = []
    }
  }
  if (entries.length > 0) yield entries
}

function inputOf(step: StepInput, row: number, hiddenSize: number): Pick<PassRow, 'token' | 'values'> {
  if (step.input.type === 'tokens') return { token: step.input.tokens[row]!, values: undefined }
  return { token: 0, values: step.input.values.subarray(row * hiddenSize, (row + 1) * hiddenSize) }
}
