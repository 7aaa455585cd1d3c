/**
 * Buffers that the kernels of a stage hand rows through, under the names by which kernels know them.
 * @module
 */
import { type ModelConfig, paddedColumns } from '../../config.ts'
import type { LayerRange } from '../../tensors.ts'
import type { DeviceMemory } from './device-memory.ts'
import { NOW_WORDS } from './kernel.ts'
import { sharesOf } from './wgsl-largest.ts'

export type Scratch = Readonly<Record<ScratchName, GPUBuffer>>

export function createScratch(options: {
  memory: DeviceMemory
  config: ModelConfig
  range: LayerRange
  rowsMax: number
}): Scratch {
  const { memory, config, range, rowsMax } = options
  const { hiddenSize, headCount, keyValueHeadCount, headSize, intermediateSize, vocabularySize } = config
  const rows = (words: number) => memory.storage(rowsMax * words * 4)
  const widest = paddedColumns(Math.max(hiddenSize, headCount * headSize, intermediateSize))
  return {
    now: memory.uniform(new Uint32Array(NOW_WORDS.length)),
    tokens: rows(1),
    rope: rows(headSize),
    hidden: rows(hiddenSize),
    floats: rows(Math.max(hiddenSize, headCount * headSize)),
    gated: rows(intermediateSize),
    projected: rows((headCount + 2 * keyValueHeadCount) * headSize),
    mantissas: rows(widest / 4),
    group_words: rows(widest / 32),
    scales: rows(1),
    status: rows(2),
    logits: rows(range.hasHead ? vocabularySize : 0),
    candidates: rows(range.hasHead ? 2 * sharesOf(vocabularySize) : 0),
    largest: rows(1),
    // A binding that is not read, where a model has no biases or no head norms.
    bias: memory.storage(16),
    gains: memory.storage(16),
  }
}

type ScratchName =
  | 'now'
  | 'tokens'
  | 'rope'
  | 'hidden' // (rows, hidden)
  | 'floats' // (rows, hidden or H·h): what a matrix is multiplied by
  | 'gated' // (rows, intermediate)
  | 'projected' // (rows, (H + 2V)·h): query, key, value
  | 'mantissas' // (rows, K): bytes
  | 'group_words' // (rows, K/32)
  | 'scales' // (rows)
  | 'status' // (rows, 2)
  | 'logits' // (rows, vocabulary)
  | 'candidates' // (rows, shares, 2)
  | 'largest' // (rows): ids
  | 'bias'
  | 'gains'
