/**
 * The reference engine: exact-1 in plain TypeScript, the oracle that every other engine must equal bit for bit.
 * Slow on purpose. Knows nothing of threads, files or peers.
 * Spec: docs/spec/numerics.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig, ModelExtras } from '../config.ts'
import { extrasOf, type LayerAttention, layerAttention, ropeConfigs, scoreFactor } from '../extras.ts'
import { joinFloats } from '../join-floats.ts'
import { type RopeTables, ropeTables } from '../rope.ts'
import {
  EMBEDDING,
  HEAD,
  type LayerPart,
  type LayerRange,
  layerTensor,
  OUTPUT_NORM,
  tensorPlan,
  type WeightSource,
} from '../tensors.ts'
import { type Cache, type CacheTable, createCacheTable } from './cache-table.ts'
import {
  type CacheId,
  type Engine,
  EngineError,
  type Stage,
  type StageOptions,
  type StepInput,
  type StepOutput,
} from './engine.ts'
import {
  addRows,
  attendHead,
  capped,
  embeddingRow,
  gated,
  matrixProduct,
  norm,
  prepareMatrix,
  type ReferenceMatrix,
  requireFiniteRow,
  rotate,
} from './reference-math.ts'
import { checkStep, rowsOf } from './step-check.ts'

export function createReferenceEngine(): Engine {
  return { name: 'reference', createStage: (options) => new ReferenceStage(options) }
}

const NO_TABLES: RopeTables = { cos: new Float32Array(0), sin: new Float32Array(0) }

interface KeysAndValues {
  readonly keys: Float32Array[] // per layer of the part (capacity, V·h)
  readonly values: Float32Array[] // per layer of the part (capacity, V·h)
}

class ReferenceStage implements Stage {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weightBytes: number
  readonly #matrices: Map<string, ReferenceMatrix>
  readonly #vectors: Map<string, Float32Array>
  readonly #caches: CacheTable<KeysAndValues>
  readonly #extras: ModelExtras
  readonly #attentions: readonly LayerAttention[]
  #rope: Readonly<Record<'global' | 'local', RopeTables>> = { global: NO_TABLES, local: NO_TABLES }

  constructor(options: StageOptions) {
    this.config = options.config
    this.range = options.range
    const loaded = loadWeights(options.config, options.range, options.weights)
    this.#matrices = loaded.matrices
    this.#vectors = loaded.vectors
    this.weightBytes = loaded.bytes
    this.#caches = createCacheTable(options)
    this.#extras = extrasOf(options.config)
    this.#attentions = Array.from({ length: this.config.layerCount }, (_, layer) => layerAttention(this.config, layer))
  }

  openCache(capacity: number, part?: LayerRange): CacheId {
    const { keyValueHeadCount, headSize } = this.config
    return this.#caches.open({ capacity, part }, ({ firstLayer, lastLayer }) => {
      if (this.#rope.global.cos.length < (capacity * this.#extras.rotarySize) / 2) this.#makeTables(capacity)
      const size = capacity * keyValueHeadCount * headSize
      const arrays = () => Array.from({ length: lastLayer - firstLayer }, () => new Float32Array(size))
      return { keys: arrays(), values: arrays() }
    })
  }

  cacheLength(cache: CacheId): number {
    return this.#caches.get(cache).length
  }

  closeCache(cache: CacheId): void {
    this.#caches.close(cache)
  }

  shareCache(from: CacheId, to: CacheId, rows: number): void {
    const size = rows * this.config.keyValueHeadCount * this.config.headSize
    this.#caches.share({ from, to, rows }, (source, target) => {
      for (const [layer, keys] of source.memory.keys.entries()) {
        target.memory.keys[layer]!.set(keys.subarray(0, size))
        target.memory.values[layer]!.set(source.memory.values[layer]!.subarray(0, size))
      }
    })
  }

  run(batch: readonly StepInput[]): StepOutput[] {
    assert(new Set(batch.map((step) => step.cache)).size === batch.length, 'a session occurs once in a batch')
    return batch.map((step) => this.#runStep(step))
  }

  close(): void {
    this.#matrices.clear()
  }

  #makeTables(capacity: number): void {
    const [global, local] = ropeConfigs(this.config)
    this.#rope = {
      global: ropeTables(global!, capacity),
      local: local === undefined ? NO_TABLES : ropeTables(local, capacity),
    }
  }

  #runStep(step: StepInput): StepOutput {
    const cache = this.#caches.get(step.cache)
    const refusal = checkStep(step, cache, this.config)
    if (refusal) return { type: 'failed', error: refusal }
    // What this step overwrites is lost, whether the step succeeds or not.
    cache.length = step.position
    try {
      const rows = rowsOf(step, this.config)
      const hidden: Float32Array[] = []
      for (let row = 0; row < rows; row++)
        hidden.push(this.#forward(this.#inputRow(step, row), step.position + row, cache))
      const output = this.#output(step, hidden, cache.part)
      cache.length = step.position + rows
      return output
    } catch (error) {
      if (error instanceof EngineError) return { type: 'failed', error }
      throw error
    }
  }

  #inputRow(step: StepInput, row: number): Float32Array {
    if (step.input.type === 'tokens') {
      const embedded = embeddingRow(this.#matrix(EMBEDDING), step.input.tokens[row]!)
      const factor = Math.fround(this.#extras.embeddingFactor)
      return factor === 1 ? embedded : embedded.map((value) => value * factor)
    }
    const size = this.config.hiddenSize
    return step.input.values.slice(row * size, (row + 1) * size)
  }

  #forward(input: Float32Array, position: number, cache: Cache<KeysAndValues>): Float32Array {
    const { firstLayer, lastLayer } = cache.part
    let row = input
    for (let layer = firstLayer; layer < lastLayer; layer++) {
      const attended = this.#attention(layer, row, { position, cache })
      row = addRows(row, this.#outputNormed(layer, attended, 'attentionOutputNorm'))
      row = addRows(row, this.#outputNormed(layer, this.#feedForward(layer, row), 'feedForwardOutputNorm'))
    }
    requireFiniteRow(row, 'the output of a layer')
    return row
  }

  #attention(layer: number, row: Float32Array, at: { position: number; cache: Cache<KeysAndValues> }): Float32Array {
    const { config } = this
    const { memory, part } = at.cache
    const normed = norm(row, this.#vector(layer, 'attentionNorm'), config.normEpsilon)
    const query = this.#projected(layer, normed, { part: 'query', bias: 'queryBias', norm: 'queryNorm' })
    const key = this.#projected(layer, normed, { part: 'key', bias: 'keyBias', norm: 'keyNorm' })
    const value = this.#projected(layer, normed, { part: 'value', bias: 'valueBias', norm: undefined })
    const { window, rope } = this.#attentions[layer]!
    if (rope !== 'none') {
      this.#rotateHeads(query, this.#rope[rope], at.position)
      this.#rotateHeads(key, this.#rope[rope], at.position)
    }
    const keys = memory.keys[layer - part.firstLayer]!
    const values = memory.values[layer - part.firstLayer]!
    keys.set(key, at.position * key.length)
    values.set(value, at.position * key.length)
    const factor = Math.fround(scoreFactor(config))
    const cap = Math.fround(this.#extras.scoreCap)
    const output = new Float32Array(query.length)
    for (let head = 0; head < config.headCount; head++) {
      const shared = Math.floor((head * config.keyValueHeadCount) / config.headCount)
      const attended = attendHead({
        query: query.subarray(head * config.headSize, (head + 1) * config.headSize),
        keys,
        values,
        stride: key.length,
        offset: shared * config.headSize,
        firstPosition: window === 0 ? 0 : Math.max(0, at.position - window + 1),
        lastPosition: at.position,
        ...{ factor, cap },
      })
      output.set(attended, head * config.headSize)
    }
    return matrixProduct(this.#layerMatrix(layer, 'attentionOutput'), output)
  }

  /** §6.2, §6.3: one of query, key, value: product, bias, head norm. */
  #projected(
    layer: number,
    row: Float32Array,
    names: { part: LayerPart; bias: LayerPart; norm: LayerPart | undefined },
  ): Float32Array {
    let projected = matrixProduct(this.#layerMatrix(layer, names.part), row)
    if (this.config.queryKeyValueBias) projected = addRows(projected, this.#vector(layer, names.bias))
    if (!this.config.queryKeyNorm || names.norm === undefined) return projected
    const gain = this.#vector(layer, names.norm)
    const size = this.config.headSize
    for (let start = 0; start < projected.length; start += size) {
      projected.set(norm(projected.slice(start, start + size), gain, this.config.normEpsilon), start)
    }
    return projected
  }

  #rotateHeads(rows: Float32Array, tables: RopeTables, position: number): void {
    const { rotarySize } = this.#extras
    const half = rotarySize / 2
    const cos = tables.cos.subarray(position * half, (position + 1) * half)
    const sin = tables.sin.subarray(position * half, (position + 1) * half)
    for (let start = 0; start < rows.length; start += this.config.headSize) {
      rotate(rows.subarray(start, start + rotarySize), cos, sin)
    }
  }

  /** §6.7, §6.8: what is added to the row. */
  #outputNormed(layer: number, row: Float32Array, name: LayerPart): Float32Array {
    return this.#extras.outputNorms ? norm(row, this.#vector(layer, name), this.config.normEpsilon) : row
  }

  #feedForward(layer: number, row: Float32Array): Float32Array {
    const normed = norm(row, this.#vector(layer, 'feedForwardNorm'), this.config.normEpsilon)
    const gate = matrixProduct(this.#layerMatrix(layer, 'gate'), normed)
    const up = matrixProduct(this.#layerMatrix(layer, 'up'), normed)
    return matrixProduct(this.#layerMatrix(layer, 'down'), gated(gate, up, this.#extras.gate))
  }

  #output(step: StepInput, hidden: readonly Float32Array[], part: LayerRange): StepOutput {
    if (!part.hasHead) return { type: 'hidden', values: joinFloats(hidden) }
    const wanted = step.logits === 'all' ? hidden : step.logits === 'last' ? hidden.slice(-1) : []
    const gain = this.#vectors.get(OUTPUT_NORM)!
    const logits = wanted.map((row) => matrixProduct(this.#matrix(HEAD), norm(row, gain, this.config.normEpsilon)))
    for (const row of logits) requireFiniteRow(row, 'the logits')
    const cap = Math.fround(this.#extras.logitCap)
    return { type: 'logits', values: joinFloats(logits).map((value) => capped(value, cap)) }
  }

  #matrix(name: string): ReferenceMatrix {
    return this.#matrices.get(name)!
  }

  #layerMatrix(layer: number, part: LayerPart): ReferenceMatrix {
    return this.#matrix(layerTensor(layer, part))
  }

  #vector(layer: number, part: LayerPart): Float32Array {
    return this.#vectors.get(layerTensor(layer, part))!
  }
}

function loadWeights(config: ModelConfig, range: LayerRange, source: WeightSource) {
  const matrices = new Map<string, ReferenceMatrix>()
  const vectors = new Map<string, Float32Array>()
  let bytes = 0
  for (const { name, kind } of tensorPlan(config, range)) {
    if (kind === 'matrix') {
      const matrix = prepareMatrix(source.matrix(name))
      matrices.set(name, matrix)
      bytes += matrix.values.byteLength
    } else {
      const vector = source.vector(name)
      vectors.set(name, vector)
      bytes += vector.byteLength
    }
  }
  return { matrices, vectors, bytes }
}
