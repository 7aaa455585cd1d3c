/**
 * Tensors of files that hold several of ours, one below the other (Phi-3): which rows are whose. Spec: docs/spec/model.md §2, §10.
 * @module
 */
import type { ModelConfig } from './config.ts'
import type { LayerPart } from './tensors.ts'

/** Ends of names in the files, and whose rows follow each other there. */
export type FusedTensors = readonly (readonly [suffix: string, parts: readonly LayerPart[]])[]

export interface FusedPlace {
  readonly suffix: string
  /** Rows of the file's tensor, and the first of them that is ours. */
  readonly rows: number
  readonly firstRow: number
}

/** Where a part lies; undefined: in a tensor of its own. */
export function fusedPlace(part: LayerPart, fused: FusedTensors, config: ModelConfig): FusedPlace | undefined {
  const found = config.family === 'phi3' ? fused.find(([, parts]) => parts.includes(part)) : undefined
  if (found === undefined) return undefined
  const [suffix, parts] = found
  const counts = parts.map((one) => rowsOfPart(one, config))
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
  return { suffix, rows: sum(counts), firstRow: sum(counts.slice(0, parts.indexOf(part))) }
}

function rowsOfPart(part: LayerPart, config: ModelConfig): number {
  if (part === 'gate' || part === 'up') return config.intermediateSize
  return config.headSize * (part === 'query' ? config.headCount : config.keyValueHeadCount)
}
