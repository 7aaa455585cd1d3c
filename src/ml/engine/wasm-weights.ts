/**
 * Weights into the wasm engine's memory, one tensor at a time, in the layouts of its kernels (native/pack.h).
 * Spec: docs/spec/numerics.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type ModelConfig, paddedColumns } from '../config.ts'
import { type LayerAttention, layerAttention } from '../extras.ts'
import {
  EMBEDDING,
  HEAD,
  type LayerPart,
  type LayerRange,
  layerTensor,
  type Matrix,
  OUTPUT_NORM,
  type TensorPlan,
  tensorPlan,
  type WeightSource,
} from '../tensors.ts'
import type { WasmHeap } from './wasm-heap.ts'
import {
  FORMAT_CODES,
  LAYER_WORDS,
  layerWords,
  matrixWords,
  type PackedMatrix,
  UNIT_ROWS,
  writeWords,
} from './wasm-layout.ts'
import type { WasmExports } from './wasm-types.ts'

/** Rows pass through a staging area in slabs of at most this; one unit of the widest matrix allowed fits. */
const SLAB_BYTES = 1 << 22

/** Addresses of the structures of native/exact1.h; 0 where the range has none. */
export interface LoadedWeights {
  /** Of the first layer; LAYER_WORDS apart. */
  readonly layers: number
  readonly embedding: number
  readonly outputNorm: number
  readonly head: number
  readonly bytes: number
}

interface Loader {
  readonly heap: WasmHeap
  readonly exports: WasmExports
  readonly staging: number
  readonly stagingMultipliers: number
  bytes: number
}

export interface LoadInput {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weights: WeightSource
  readonly heap: WasmHeap
  readonly exports: WasmExports
}

/** Loads a range; throws ENGINE_OUT_OF_MEMORY when it does not fit, and whatever the source throws. */
export function loadWeights(input: LoadInput): LoadedWeights {
  const { config, range, weights, heap } = input
  const staging = heap.reserve(SLAB_BYTES)
  const loader: Loader = {
    heap,
    exports: input.exports,
    staging,
    stagingMultipliers: heap.reserve(SLAB_BYTES),
    bytes: 0,
  }
  const matrices = new Map<string, PackedMatrix>()
  const vectors = new Map<string, number>()
  let embedding = 0
  for (const plan of tensorPlan(config, range)) {
    if (plan.kind === 'vector') vectors.set(plan.name, loadVector(loader, weights.vector(plan.name), plan))
    else {
      const matrix = weights.matrix(plan.name)
      assert(matrix.rows === plan.rows && matrix.columns === plan.columns, `${plan.name} has the planned shape`)
      if (plan.name === EMBEDDING) embedding = loadEmbedding(loader, matrix)
      else matrices.set(plan.name, loadMatrix(loader, matrix))
    }
  }
  const words: number[] = []
  for (let layer = range.firstLayer; layer < range.lastLayer; layer++)
    words.push(...wordsOfLayer(layer, { matrices, vectors, attention: layerAttention(config, layer) }))
  assert(words.length === (range.lastLayer - range.firstLayer) * LAYER_WORDS, 'a layer is as long as its structure')
  return {
    layers: writeWords(heap, words),
    embedding,
    outputNorm: vectors.get(OUTPUT_NORM) ?? 0,
    head: range.hasHead ? writeWords(heap, matrixWords(matrices.get(HEAD)!)) : 0,
    bytes: loader.bytes,
  }
}

interface LoadedLayer {
  readonly matrices: ReadonlyMap<string, PackedMatrix>
  readonly vectors: ReadonlyMap<string, number>
  readonly attention: LayerAttention
}

function wordsOfLayer(layer: number, { matrices, vectors, attention }: LoadedLayer): number[] {
  const matrix = (part: LayerPart) => matrices.get(layerTensor(layer, part))!
  const vector = (part: LayerPart) => vectors.get(layerTensor(layer, part)) ?? 0
  return layerWords({
    attentionNorm: vector('attentionNorm'),
    query: matrix('query'),
    key: matrix('key'),
    value: matrix('value'),
    queryBias: vector('queryBias'),
    keyBias: vector('keyBias'),
    valueBias: vector('valueBias'),
    queryNorm: vector('queryNorm'),
    keyNorm: vector('keyNorm'),
    attentionOutput: matrix('attentionOutput'),
    feedForwardNorm: vector('feedForwardNorm'),
    gate: matrix('gate'),
    up: matrix('up'),
    down: matrix('down'),
    attentionOutputNorm: vector('attentionOutputNorm'),
    feedForwardOutputNorm: vector('feedForwardOutputNorm'),
    attention,
  })
}

function reserveWeights(loader: Loader, bytes: number): number {
  loader.bytes += bytes
  return loader.heap.reserve(bytes)
}

/** Padded with zeros to whole groups, so that kernels need no tail. */
function loadVector(loader: Loader, vector: Float32Array, plan: TensorPlan): number {
  assert(vector.length === plan.rows, `${plan.name} has the planned length`)
  const address = reserveWeights(loader, paddedColumns(vector.length) * 4)
  loader.heap.floats().set(vector, address / 4)
  return address
}

function loadScales(loader: Loader, scales: Float32Array, units: number): number {
  const address = reserveWeights(loader, units * UNIT_ROWS * 4)
  loader.heap.floats().set(scales, address / 4)
  return address
}

/** The embedding is looked up, not multiplied: it keeps the form of the specification. */
function loadEmbedding(loader: Loader, matrix: Matrix): number {
  const { heap } = loader
  const format = FORMAT_CODES[matrix.format]
  if (matrix.format === 'f32') {
    const data = reserveWeights(loader, matrix.values.byteLength)
    heap.floats().set(matrix.values, data / 4)
    return writeWords(heap, [format, matrix.columns, data, 0, 0])
  }
  const source = matrix.format === 'q8' ? matrix.values : matrix.nibbles
  const data = reserveWeights(loader, source.byteLength)
  heap.bytes().set(source, data)
  let multipliers = 0
  if (matrix.format === 'q4') {
    multipliers = reserveWeights(loader, matrix.multipliers.byteLength)
    heap.bytes().set(matrix.multipliers, multipliers)
  }
  const scales = loadScales(loader, matrix.scales, Math.ceil(matrix.rows / UNIT_ROWS))
  return writeWords(heap, [format, paddedColumns(matrix.columns), data, multipliers, scales])
}

function loadMatrix(loader: Loader, matrix: Matrix): PackedMatrix {
  const units = Math.ceil(matrix.rows / UNIT_ROWS)
  const width = paddedColumns(matrix.columns)
  if (matrix.format === 'f32') {
    const data = reserveWeights(loader, units * UNIT_ROWS * width * 4)
    forEachSlab(units, width * 4, (unit, count) => {
      stageFloats(loader, matrix, { unit, count, width })
      loader.exports.pack_f32(loader.staging, data + unit * UNIT_ROWS * width * 4, count, width)
    })
    return { format: 'f32', units, width, data, multipliers: 0, scales: 0 }
  }
  const scales = loadScales(loader, matrix.scales, units)
  if (matrix.format === 'q8') {
    const data = reserveWeights(loader, units * UNIT_ROWS * width)
    forEachSlab(units, width, (unit, count) => {
      stage(loader, loader.staging, slabOf(matrix.values, unit, count, width))
      loader.exports.pack_q8(loader.staging, data + unit * UNIT_ROWS * width, count, width)
    })
    return { format: 'q8', units, width, data, multipliers: 0, scales }
  }
  const groups = width / 32
  const data = reserveWeights(loader, units * UNIT_ROWS * groups * 16)
  const multipliers = reserveWeights(loader, units * UNIT_ROWS * groups)
  forEachSlab(units, width, (unit, count) => {
    stage(loader, loader.staging, slabOf(matrix.nibbles, unit, count, groups * 16))
    stage(loader, loader.stagingMultipliers, slabOf(matrix.multipliers, unit, count, groups))
    const to = data + unit * UNIT_ROWS * groups * 16
    const toMultipliers = multipliers + unit * UNIT_ROWS * groups
    loader.exports.pack_q4(loader.staging, to, loader.stagingMultipliers, toMultipliers, count, groups)
  })
  return { format: 'q4', units, width, data, multipliers, scales }
}

/** Rows of f32 are not padded at the source. */
function stageFloats(
  loader: Loader,
  matrix: Matrix & { format: 'f32' },
  slab: { unit: number; count: number; width: number },
): void {
  const { columns, values } = matrix
  const floats = loader.heap.floats()
  const start = loader.staging / 4
  floats.fill(0, start, start + slab.count * UNIT_ROWS * slab.width)
  for (let index = 0; index < slab.count * UNIT_ROWS; index++) {
    const row = slab.unit * UNIT_ROWS + index
    floats.set(values.subarray(row * columns, (row + 1) * columns), start + index * slab.width)
  }
}

function forEachSlab(units: number, rowBytes: number, visit: (unit: number, count: number) => void): void {
  const most = Math.max(1, Math.floor(SLAB_BYTES / (UNIT_ROWS * rowBytes)))
  for (let unit = 0; unit < units; unit += most) visit(unit, Math.min(most, units - unit))
}

interface Slab {
  readonly bytes: Int8Array | Uint8Array
  /** Bytes of whole units, beyond the last row zeros. */
  readonly padded: number
}

function slabOf(source: Int8Array | Uint8Array, unit: number, count: number, rowBytes: number): Slab {
  const unitBytes = UNIT_ROWS * rowBytes
  return { bytes: source.subarray(unit * unitBytes, (unit + count) * unitBytes), padded: count * unitBytes }
}

function stage(loader: Loader, address: number, slab: Slab): void {
  const bytes = loader.heap.bytes()
  bytes.set(slab.bytes, address)
  bytes.fill(0, address + slab.bytes.length, address + slab.padded)
}
