/**
 * A stage of the tfjs engine: weights and caches as tensors, sessions of a batch one after another. Rows of the embedding are made
 * on this side, so that the table, a model's largest tensor, takes no memory of the device.
 * Spec: docs/spec/float.md §1.
 * @module
 */
import { AssertionError, assert } from '../../../base/assert.ts'
import { HouseError, messageOf } from '../../../base/error.ts'
import type { ModelConfig } from '../../config.ts'
import { dequantizeRow } from '../../dequantize.ts'
import { joinFloats } from '../../join-floats.ts'
import { type RopeTables, ropeTables } from '../../rope.ts'
import { HEAD, type LayerRange, layerTensor, OUTPUT_NORM } from '../../tensors.ts'
import { type Cache, type CacheTable, createCacheTable } from '../cache-table.ts'
import {
  type CacheId,
  type DeviceStage,
  EngineError,
  type StageOptions,
  type StepInput,
  type StepOutput,
} from '../engine.ts'
import { notFinite } from '../reference-math.ts'
import { checkStep, rowsOf } from '../step-check.ts'
import { type KeysValues, type LayerWeights, layerForward } from './layer.ts'
import { createModelOps, type ModelOps } from './model-ops.ts'
import { type Piece, type PieceTensors, piecesOf, pieceTensors } from './positions.ts'
import { loadStageWeights, type StageWeights, type WeightsSeat } from './stage-weights.ts'
import { switchBackend, type Tensor } from './tensorflow.ts'

export interface TfjsSeat extends WeightsSeat {
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
  readonly #weights: StageWeights
  readonly #caches: CacheTable<Memory>
  readonly #open = new Set<Memory>()
  /** Why the device is gone, once it is. */
  #gone: EngineError | undefined
  #rope: RopeTables = { cos: new Float32Array(0), sin: new Float32Array(0) }

  constructor(options: StageOptions, seat: TfjsSeat) {
    this.config = options.config
    this.range = options.range
    this.lost = seat.lost
    this.#seat = seat
    this.#ops = createModelOps(seat.tf)
    this.#caches = createCacheTable(options)
    this.#weights = loadStageWeights(options, seat)
    this.weightBytes = this.#weights.bytes
    void seat.lost.then((error) => {
      this.#gone = error
    })
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

  shareCache(from: CacheId, to: CacheId, rows: number): void {
    const { tf, backend } = this.#seat
    this.#caches.share({ from, to, rows }, ({ memory: source }, { memory: target }) => {
      disposeLayers(target.layers)
      switchBackend(tf, backend)
      // A tensor is never written again: both may read it, and each disposes of its own handle.
      target.layers =
        rows === 0 ? [] : source.layers.map(({ keys, values }) => ({ keys: keys.clone(), values: values.clone() }))
    })
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
    this.#weights.dispose()
    for (const { layers } of this.#open) disposeLayers(layers)
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
    return { type: cache.part.hasHead ? 'logits' : 'hidden', values: joinFloats(parts) }
  }

  /** Its rows of the output, or undefined where a value is not finite or its square would not be. */
  async #runPiece(
    piece: Piece,
    { step, cache, wanted }: { step: StepInput; cache: SessionCache; wanted: number },
  ): Promise<Float32Array | undefined> {
    const layers: KeysValues[] = []
    const results: Tensor[] = []
    let isSound = false
    try {
      const { output, largest } = this.#compute(piece, { step, cache, wanted, keep: (next) => void layers.push(next) })
      results.push(largest, ...(output === undefined ? [] : [output]))
      const [magnitudes, values] = await Promise.all(results.map((tensor) => tensor.data<'float32'>()))
      const limit = Math.sqrt(FLOAT_MAX / this.config.hiddenSize)
      // Of some backends `data` is their own memory.
      const copy = new Float32Array(values ?? [])
      isSound = magnitudes!.every((value) => value < limit) && copy.every((value) => Number.isFinite(value))
      if (this.#gone !== undefined) throw this.#gone
      return isSound ? copy : undefined
    } catch (error) {
      throw this.#asEngineError(error)
    } finally {
      for (const tensor of results) tensor.dispose()
      // What a failed piece computed may be infinite, also where the mask would hide it. A session may have closed meanwhile.
      const isKept = isSound && this.#open.has(cache.memory)
      disposeLayers(isKept ? cache.memory.layers : layers)
      if (isKept) cache.memory.layers = layers
    }
  }

  /** All of a piece in one turn: while it lasts the backend is this stage's. */
  #compute(
    piece: Piece,
    on: { step: StepInput; cache: SessionCache; wanted: number; keep: (next: KeysValues) => void },
  ): { output: Tensor | undefined; largest: Tensor } {
    const { tf, backend } = this.#seat
    const { memory, part } = on.cache
    switchBackend(tf, backend)
    return tf.tidy(() => {
      const magnitudes: Tensor[] = []
      const watch = (values: Tensor) => void magnitudes.push(tf.max(tf.abs(values)))
      const tensors = pieceTensors(tf, piece, { config: this.config, tables: this.#rope })
      let x: Tensor = tf.tensor(this.#inputRows(on.step, piece), [piece.rows, this.config.hiddenSize])
      for (let layer = part.firstLayer; layer < part.lastLayer; layer++) {
        const past = memory.layers[layer - part.firstLayer]
        x = this.#layer(layer, x, { tensors, piece, past, watch, keep: on.keep })
      }
      watch(x)
      return { output: part.hasHead ? this.#head(x, on.wanted) : x, largest: tf.stack(magnitudes) }
    })
  }

  /** Bugs and what has a code as they are; else the device is at fault, which is gone or soon will be. */
  #asEngineError(error: unknown): unknown {
    if (this.#gone !== undefined) return this.#gone
    if (error instanceof HouseError || error instanceof AssertionError) return error
    const message = `TF.js could not compute on its backend ${this.#seat.backend}: ${messageOf(error)}.`
    return new EngineError('ENGINE_UNAVAILABLE', message, { cause: error })
  }

  #inputRows(step: StepInput, piece: Piece): Float32Array {
    const { hiddenSize } = this.config
    const first = piece.position - step.position
    if (step.input.type === 'hidden') {
      return step.input.values.slice(first * hiddenSize, (first + piece.rows) * hiddenSize)
    }
    const out = new Float32Array(piece.rows * hiddenSize)
    for (let row = 0; row < piece.rows; row++) {
      dequantizeRow(this.#weights.embedding!, step.input.tokens[first + row]!, { out, at: row * hiddenSize, stride: 1 })
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
      product: (part, rows) => this.#weights.matrix(layerTensor(layer, part)).product(rows),
      vector: (part) => this.#weights.vector(layerTensor(layer, part)),
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
    return this.#weights.matrix(HEAD).product(this.#ops.rmsNorm(rows, this.#weights.vector(OUTPUT_NORM), normEpsilon))
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
