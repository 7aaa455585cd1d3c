/**
 * A stage of the tfjs engine: weights and caches as tensors, sessions of a batch one after another. Rows of the embedding are made
 * on this side, so that the table, a model's largest tensor, takes no memory of the device.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import type { ModelConfig } from '../../config.ts'
import { dequantizeRow } from '../../dequantize.ts'
import { type RopeTables, ropeTables } from '../../rope.ts'
import { EMBEDDING, HEAD, type LayerRange, layerTensor, type Matrix, OUTPUT_NORM, tensorPlan } from '../../tensors.ts'
import { type Cache, type CacheTable, createCacheTable } from '../cache-table.ts'
import type { CacheId, DeviceStage, EngineError, StageOptions, StepInput, StepOutput } from '../engine.ts'
import { notFinite } from '../reference-math.ts'
import { checkStep, rowsOf } from '../step-check.ts'
import { type DeviceMatrix, loadMatrix } from './device-matrix.ts'
import { type KeysValues, type LayerWeights, layerForward } from './layer.ts'
import { createModelOps, type ModelOps } from './model-ops.ts'
import { type Piece, type PieceTensors, piecesOf, pieceTensors } from './positions.ts'
import { switchBackend, type Tensor, type Tensorflow } from './tensorflow.ts'

export interface TfjsSeat {
  readonly tf: Tensorflow
  readonly backend: string
  readonly tensorBytesMax: number
  readonly lost: Promise<EngineError>
}

/** Keys and values of a session, per layer of its part; they grow by blocks of positions. */
interface Memory {
  layers: readonly KeysValues[]
}

type SessionCache = Cache<Memory>

const FLOAT_MAX = 3.4e38

export function loadTfjsStage(options: StageOptions, seat: TfjsSeat): DeviceStage {
  return new TfjsStage(options, seat)
}

class TfjsStage implements DeviceStage {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weightBytes: number
  readonly lost: Promise<EngineError>
  readonly #seat: TfjsSeat
  readonly #ops: ModelOps
  readonly #matrices = new Map<string, DeviceMatrix>()
  readonly #vectors = new Map<string, Tensor>()
  readonly #embedding: Matrix | undefined
  readonly #caches: CacheTable<Memory>
  readonly #open = new Set<Memory>()
  #rope: RopeTables = { cos: new Float32Array(0), sin: new Float32Array(0) }

  constructor(options: StageOptions, seat: TfjsSeat) {
    const { config, range, weights } = options
    this.config = config
    this.range = range
    this.lost = seat.lost
    this.#seat = seat
    this.#ops = createModelOps(seat.tf)
    this.#caches = createCacheTable(options)
    switchBackend(seat.tf, seat.backend)
    let bytes = 0
    for (const { name, kind } of tensorPlan(config, range)) {
      if (kind === 'vector') {
        const vector = seat.tf.keep(seat.tf.tensor(weights.vector(name)))
        this.#vectors.set(name, vector)
        bytes += vector.size * Float32Array.BYTES_PER_ELEMENT
      } else if (name !== EMBEDDING) {
        const matrix = loadMatrix(seat.tf, weights.matrix(name), seat.tensorBytesMax)
        this.#matrices.set(name, matrix)
        bytes += matrix.bytes
      }
    }
    this.#embedding = range.hasEmbedding ? weights.matrix(EMBEDDING) : undefined
    this.weightBytes = bytes
  }

  openCache(capacity: number, part?: LayerRange): CacheId {
    return this.#caches.open({ capacity, part }, () => {
      if (this.#rope.cos.length < (capacity * this.config.headSize) / 2) this.#rope = ropeTables(this.config, capacity)
      const memory: Memory = { layers: [] }
      this.#open.add(memory)
      return memory
    })
  }

  cacheLength(cache: CacheId): number {
    return this.#caches.get(cache).length
  }

  closeCache(cache: CacheId): void {
    const { memory } = this.#caches.get(cache)
    this.#caches.close(cache)
    this.#open.delete(memory)
    disposeLayers(memory.layers)
  }

  async run(batch: readonly StepInput[]): Promise<StepOutput[]> {
    assert(new Set(batch.map((step) => step.cache)).size === batch.length, 'a session occurs once in a batch')
    const states = batch.map((step) => this.#caches.get(step.cache))
    const refusals = batch.map((step, index) => checkStep(step, states[index]!, this.config))
    const outputs: StepOutput[] = []
    for (const [index, step] of batch.entries()) {
      const refusal = refusals[index]
      outputs.push(refusal ? { type: 'failed', error: refusal } : await this.#runStep(step, states[index]!))
    }
    return outputs
  }

  async close(): Promise<void> {
    for (const matrix of this.#matrices.values()) matrix.dispose()
    for (const vector of this.#vectors.values()) vector.dispose()
    for (const { layers } of this.#open) disposeLayers(layers)
    this.#matrices.clear()
    this.#vectors.clear()
    this.#open.clear()
  }

  async #runStep(step: StepInput, cache: SessionCache): Promise<StepOutput> {
    // What this step overwrites is lost, whether the step succeeds or not.
    cache.length = step.position
    const rows = rowsOf(step, this.config)
    const parts: Float32Array[] = []
    for (const piece of piecesOf(step.position, rows)) {
      const isLast = piece.position + piece.rows === step.position + rows
      const values = await this.#runPiece(piece, { step, cache, wanted: wantedRows(step, piece, isLast) })
      if (values === undefined) return { type: 'failed', error: notFinite('a layer') }
      parts.push(values)
    }
    cache.length = step.position + rows
    return { type: cache.part.hasHead ? 'logits' : 'hidden', values: joined(parts) }
  }

  /** Its rows of the output, or undefined where a value is not finite or its square would not be. */
  async #runPiece(
    piece: Piece,
    { step, cache, wanted }: { step: StepInput; cache: SessionCache; wanted: number },
  ): Promise<Float32Array | undefined> {
    const { tf, backend } = this.#seat
    switchBackend(tf, backend)
    const magnitudes: Tensor[] = []
    const layers: KeysValues[] = []
    const watch = (values: Tensor) => void magnitudes.push(tf.max(tf.abs(values)))
    const { output, largest } = tf.tidy(() => {
      const tensors = pieceTensors(tf, piece, { config: this.config, tables: this.#rope })
      const { firstLayer, lastLayer, hasHead } = cache.part
      let x: Tensor = tf.tensor(this.#inputRows(step, piece), [piece.rows, this.config.hiddenSize])
      for (let layer = firstLayer; layer < lastLayer; layer++) {
        const past = cache.memory.layers[layer - firstLayer]
        x = this.#layer(layer, x, { tensors, piece, past, watch, keep: (next) => void layers.push(next) })
      }
      watch(x)
      return { output: hasHead ? this.#head(x, wanted) : x, largest: tf.stack(magnitudes) }
    })
    let isSound = false
    try {
      const [values, found] = await Promise.all([output?.data() ?? new Float32Array(0), largest.data()])
      const limit = Math.sqrt(FLOAT_MAX / this.config.hiddenSize)
      isSound = found.every((value) => value < limit) && values.every((value) => Number.isFinite(value))
      return isSound ? Float32Array.from(values) : undefined
    } finally {
      output?.dispose()
      largest.dispose()
      // What a failed piece computed may be infinite, also where the mask would hide it.
      disposeLayers(isSound ? cache.memory.layers : layers)
      if (isSound) cache.memory.layers = layers
    }
  }

  #inputRows(step: StepInput, piece: Piece): Float32Array {
    const { hiddenSize } = this.config
    const first = piece.position - step.position
    if (step.input.type === 'hidden') {
      return step.input.values.slice(first * hiddenSize, (first + piece.rows) * hiddenSize)
    }
    const out = new Float32Array(piece.rows * hiddenSize)
    for (let row = 0; row < piece.rows; row++) {
      dequantizeRow(this.#embedding!, step.input.tokens[first + row]!, { out, at: row * hiddenSize, stride: 1 })
    }
    return out
  }

  #layer(
    layer: number,
    x: Tensor,
    on: {
      tensors: PieceTensors
      piece: Piece
      past: KeysValues | undefined
      keep: (next: KeysValues) => void
      watch: (values: Tensor) => void
    },
  ): Tensor {
    const weights: LayerWeights = {
      product: (part, rows) => this.#matrices.get(layerTensor(layer, part))!.product(rows),
      vector: (part) => this.#vectors.get(layerTensor(layer, part))!,
    }
    const { tensors, piece, past, watch } = on
    return layerForward(x, weights, {
      ...{ ops: this.#ops, config: this.config, batch: 1, rows: piece.rows, watch },
      ...{ rope: tensors.rope, mask: tensors.mask },
      remember: (fresh) => {
        const next = {
          keys: this.#appended(past?.keys, fresh.keys, on),
          values: this.#appended(past?.values, fresh.values, on),
        }
        on.keep(next)
        return next
      },
    })
  }

  /** A cache's tensor with the rows of this piece at their positions, (1, V, positions, h). */
  #appended(
    past: Tensor | undefined,
    fresh: Tensor,
    { tensors, piece }: { tensors: PieceTensors; piece: Piece },
  ): Tensor {
    const { tf } = this.#seat
    const spread = tf.mul(tf.gather(fresh, tensors.source, 2), tensors.fresh)
    if (past === undefined) return tf.keep(spread)
    const [, shared, had, size] = past.shape as [number, number, number, number]
    const whole =
      had < piece.positions ? tf.concat([past, tf.zeros([1, shared, piece.positions - had, size])], 2) : past
    // After a step back the tensor may be longer than this piece asks for.
    const fitting = had > piece.positions ? tf.slice(whole, [0, 0, 0, 0], [1, shared, piece.positions, size]) : whole
    return tf.keep(tf.add(tf.mul(fitting, tensors.kept), spread))
  }

  /** Logits of the last `wanted` rows, or undefined for none. */
  #head(x: Tensor, wanted: number): Tensor | undefined {
    if (wanted === 0) return undefined
    const { tf } = this.#seat
    const { hiddenSize, normEpsilon } = this.config
    const rows = tf.slice(x, [x.shape[0]! - wanted, 0], [wanted, hiddenSize])
    return this.#matrices.get(HEAD)!.product(this.#ops.rmsNorm(rows, this.#vectors.get(OUTPUT_NORM)!, normEpsilon))
  }
}

function wantedRows(step: StepInput, piece: Piece, isLast: boolean): number {
  if (step.logits === 'all') return piece.rows
  return step.logits === 'last' && isLast ? 1 : 0
}

function disposeLayers(layers: readonly KeysValues[]): void {
  for (const { keys, values } of layers) {
    keys.dispose()
    values.dispose()
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    values.set(part, at)
    at += part.length
  }
  return values
}
