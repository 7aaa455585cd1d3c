/**
 * The structures of native/exact1.h as 32-bit words, in the same order. Everything here changes together with that
 * file.
 * @module
 */

import type { LayerAttention } from '../extras.ts'
import { PASS_ROWS_MAX } from './step-runner.ts'
import type { WasmHeap } from './wasm-heap.ts'

/** UNIT, TASK_HEADS, NARROW_GROUP, sizeof(struct sync) of native/. */
export const UNIT_ROWS = 8
export const TASK_HEADS = 4
export const NARROW_GROUP_BYTES = 40
export const SYNC_BYTES = 256
export const ROW_WORDS = 5
/** sizeof(struct layer), and places in struct stage, in words; `embedding` follows `layers`. */
export const LAYER_WORDS = 53
export const STAGE_LAYER_COUNT = 6
export const STAGE_LAYERS = 9
export const FORMAT_CODES = { f32: 0, q8: 1, q4: 2 } as const
/** ROPE_…, GATE_… of native/exact1.h. */
const ROPE_CODES = { global: 0, local: 1, none: 2 } as const
export const GATE_CODES = { silu: 0, gelu: 1 } as const

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)

/** The bits of a value rounded to f32. */
export function bitsOf(value: number): number {
  scratch[0] = value
  return scratchBits[0]!
}

/** Writes words to new memory; returns their address. */
export function writeWords(heap: WasmHeap, words: readonly number[]): number {
  const address = heap.reserve(words.length * 4)
  heap.words().set(words, address / 4)
  return address
}

/** struct matrix */
export interface PackedMatrix {
  readonly format: keyof typeof FORMAT_CODES
  readonly units: number
  readonly width: number
  readonly data: number
  readonly multipliers: number
  readonly scales: number
}

export function matrixWords(m: PackedMatrix): number[] {
  return [FORMAT_CODES[m.format], m.units, m.width, m.data, m.multipliers, m.scales]
}

/** struct layer; vectors are addresses, 0 where the model has none. */
export interface PackedLayer {
  readonly attentionNorm: number
  readonly query: PackedMatrix
  readonly key: PackedMatrix
  readonly value: PackedMatrix
  readonly queryBias: number
  readonly keyBias: number
  readonly valueBias: number
  readonly queryNorm: number
  readonly keyNorm: number
  readonly attentionOutput: PackedMatrix
  readonly feedForwardNorm: number
  readonly gate: PackedMatrix
  readonly up: PackedMatrix
  readonly down: PackedMatrix
  readonly attentionOutputNorm: number
  readonly feedForwardOutputNorm: number
  readonly attention: LayerAttention
}

export function layerWords(layer: PackedLayer): number[] {
  return [
    layer.attentionNorm,
    ...matrixWords(layer.query),
    ...matrixWords(layer.key),
    ...matrixWords(layer.value),
    layer.queryBias,
    layer.keyBias,
    layer.valueBias,
    layer.queryNorm,
    layer.keyNorm,
    ...matrixWords(layer.attentionOutput),
    layer.feedForwardNorm,
    ...matrixWords(layer.gate),
    ...matrixWords(layer.up),
    ...matrixWords(layer.down),
    layer.attentionOutputNorm,
    layer.feedForwardOutputNorm,
    layer.attention.window,
    ROPE_CODES[layer.attention.rope],
  ]
}

/** struct operand: activations as f32, as 16-bit integers and as groups for q4, for a full pass. */
export function operandWords(heap: WasmHeap, width: number): number[] {
  const values = heap.reserve(PASS_ROWS_MAX * width * 4)
  const wide = heap.reserve(PASS_ROWS_MAX * width * 2)
  const narrow = heap.reserve(PASS_ROWS_MAX * (width / 32) * NARROW_GROUP_BYTES)
  const scales = heap.reserve(PASS_ROWS_MAX * 4)
  return [values, wide, narrow, scales, width]
}
