/**
 * How the tail turns logits into tokens during one turn, as a field of several messages. Ranges are checked where it
 * is used (ml/sampler.ts).
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import type { Reader, Writer } from '../../base/codec.ts'

export interface Generation {
  readonly maxTokens: number
  readonly temperature: number
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly seed: bigint
  /** Each token message carries the digest of its logits. */
  readonly withDigests: boolean
}

export function writeGeneration(writer: Writer, generation: Generation): void {
  writer.u32(generation.maxTokens).f64(generation.temperature).u32(generation.topK).f64(generation.topP)
  writer.f64(generation.minP).f64(generation.repetitionPenalty).u64(generation.seed)
  writer.u8(generation.withDigests ? 1 : 0)
}

export function readGeneration(reader: Reader): Generation {
  return {
    maxTokens: reader.u32(),
    temperature: reader.f64(),
    topK: reader.u32(),
    topP: reader.f64(),
    minP: reader.f64(),
    repetitionPenalty: reader.f64(),
    seed: reader.u64(),
    withDigests: reader.flag(),
  }
}
