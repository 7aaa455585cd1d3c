/**
 * Named tensors of a model and their forms in memory. A segment's weights come from a WeightSource, one
 * tensor at a time, so that no more than one of them need be in the JavaScript heap.
 * Spec: docs/spec/numerics.md §3.
 * @module
 */
import type { ModelConfig } from './config.ts'
import { extrasOf } from './extras.ts'

/** A weight matrix: rows outputs, columns inputs; K = paddedColumns(columns). */
export type Matrix =
  | { readonly format: 'f32'; readonly rows: number; readonly columns: number; readonly values: Float32Array } // (rows, columns)
  | {
      readonly format: 'q8'
      readonly rows: number
      readonly columns: number
      readonly values: Int8Array // (rows, K)
      readonly scales: Float32Array // (rows)
    }
  | {
      readonly format: 'q4'
      readonly rows: number
      readonly columns: number
      readonly nibbles: Uint8Array // (rows, K/32, 16)
      readonly multipliers: Uint8Array // (rows, K/32)
      readonly scales: Float32Array // (rows)
    }

/** Where a stage takes its weights from. Both throw when the tensor is missing or has another shape. */
export interface WeightSource {
  matrix(name: string): Matrix
  vector(name: string): Float32Array // (length)
}

/** One tensor that a model must have. A vector has columns 1 and stays f32 in every format. */
export interface TensorPlan {
  readonly name: string
  readonly kind: 'matrix' | 'vector'
  readonly rows: number
  readonly columns: number
}

/** Part of a model that one segment holds: layers [firstLayer, lastLayer), and the two ends. */
export interface LayerRange {
  readonly firstLayer: number
  /** Exclusive. */
  readonly lastLayer: number
  /** Holds the embedding: input is token ids. */
  readonly hasEmbedding: boolean
  /** Holds the output norm and the head: output is logits. */
  readonly hasHead: boolean
}

export const EMBEDDING = 'embedding'
export const OUTPUT_NORM = 'outputNorm'
/** Present also where the model ties it to the embedding: the segment with the head holds its own copy. */
export const HEAD = 'head'

/** `layers.3.query`: the name of one tensor of one layer. */
export function layerTensor(layer: number, part: LayerPart): string {
  return `layers.${layer}.${part}`
}

export type LayerPart =
  | 'attentionNorm'
  | 'query'
  | 'key'
  | 'value'
  | 'queryBias'
  | 'keyBias'
  | 'valueBias'
  | 'queryNorm'
  | 'keyNorm'
  | 'attentionOutput'
  | 'attentionOutputNorm'
  | 'feedForwardNorm'
  | 'gate'
  | 'up'
  | 'down'
  | 'feedForwardOutputNorm'

/** Every tensor that `range` of this model holds, in canonical order. */
export function tensorPlan(config: ModelConfig, range: LayerRange): TensorPlan[] {
  const plan: TensorPlan[] = []
  if (range.hasEmbedding) plan.push(matrix(EMBEDDING, config.vocabularySize, config.hiddenSize))
  for (let layer = range.firstLayer; layer < range.lastLayer; layer++) {
    for (const part of layerPlan(config)) plan.push({ ...part, name: layerTensor(layer, part.name) })
  }
  if (range.hasHead) {
    plan.push(vector(OUTPUT_NORM, config.hiddenSize))
    plan.push(matrix(HEAD, config.vocabularySize, config.hiddenSize))
  }
  return plan
}

function layerPlan(config: ModelConfig): (TensorPlan & { name: LayerPart })[] {
  const { hiddenSize: d, intermediateSize: f, headSize: h } = config
  const queryRows = config.headCount * h
  const keyRows = config.keyValueHeadCount * h
  const bias = config.queryKeyValueBias
    ? [vector('queryBias', queryRows), vector('keyBias', keyRows), vector('valueBias', keyRows)]
    : []
  const headNorms = config.queryKeyNorm ? [vector('queryNorm', h), vector('keyNorm', h)] : []
  const { outputNorms } = extrasOf(config)
  return [
    vector('attentionNorm', d),
    matrix('query', queryRows, d),
    matrix('key', keyRows, d),
    matrix('value', keyRows, d),
    ...bias,
    ...headNorms,
    matrix('attentionOutput', d, queryRows),
    ...(outputNorms ? [vector('attentionOutputNorm', d)] : []),
    vector('feedForwardNorm', d),
    matrix('gate', f, d),
    matrix('up', f, d),
    matrix('down', d, f),
    ...(outputNorms ? [vector('feedForwardOutputNorm', d)] : []),
  ]
}

function matrix<Name extends string>(name: Name, rows: number, columns: number): TensorPlan & { name: Name } {
  return { name, kind: 'matrix', rows, columns }
}

function vector<Name extends string>(name: Name, length: number): TensorPlan & { name: Name } {
  return { name, kind: 'vector', rows: length, columns: 1 }
}
