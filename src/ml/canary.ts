/**
 * The canary of a model: prompts, and what every segment makes of them, row by row. Whoever holds some of the segments can check with it that
 * this machine, with these weights, computes what the publisher declared. Knows no engine and no files.
 * Spec: docs/spec/model.md §12.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import { type Hash, hash } from '../base/brand.ts'
import { CodecError, Reader, Writer } from '../base/codec.ts'
import { CANARY_LIMITS } from '../base/limits.ts'
import { philox4x32 } from '../base/prng.ts'
import type { ModelConfig } from './config.ts'
import { floatBytes, floatsFromBytes } from './digest.ts'

export interface CanaryPrompt {
  /** Ids of the vocabulary, one per row; at position 0 and up. */
  readonly tokens: Int32Array
  /** What goes from segment i to segment i + 1, at index i: f32 (rows, hidden); one less than there are segments. */
  readonly borders: readonly Float32Array[]
  /** SHA-256 of the logits of all rows, f32 (rows, vocabulary). */
  readonly logits: Hash
}

export interface Canary {
  /** Hash of the model's manifest. */
  readonly model: Hash
  readonly prompts: readonly CanaryPrompt[]
}

/** What of a model bounds its canary. */
export interface CanaryShape {
  readonly config: Pick<ModelConfig, 'hiddenSize' | 'vocabularySize' | 'contextLength'>
  readonly segments: { readonly length: number }
}

const MAGIC = 'dllm canary 1'
const HASH_BYTES = 32
const ID_BYTES = 4

/**
 * Token ids of the prompts of a model's canary: drawn by its hash over the whole vocabulary, so that nobody has to choose them.
 */
export function canaryTokens(model: Hash, { config }: CanaryShape): Int32Array[] {
  const key: [number, number] = [Number.parseInt(model.slice(0, 8), 16), Number.parseInt(model.slice(8, 16), 16)]
  return CANARY_LIMITS.promptRows.map((rows, prompt) => {
    const drawn = Array.from({ length: Math.min(rows, config.contextLength) }, (_, row) => {
      return philox4x32([row, prompt, 0, 0], key)[0] % config.vocabularySize
    })
    return Int32Array.from(drawn)
  })
}

export function encodeCanary({ model, prompts }: Canary): Uint8Array<ArrayBuffer> {
  return new Writer()
    .text(MAGIC)
    .raw(hexToBytes(model))
    .list(prompts, (writer, { tokens, borders, logits }) => {
      writer.list([...tokens], (inner, token) => inner.u32(token))
      for (const border of borders) writer.raw(floatBytes(border))
      writer.raw(hexToBytes(logits))
    })
    .finish()
}

/** Every number of rows and values follows from the shape and the prompts' tokens. @throws CodecError. */
export function decodeCanary(bytes: Uint8Array, shape: CanaryShape): Canary {
  const reader = new Reader(bytes)
  if (reader.text(MAGIC.length) !== MAGIC) throw bad('is none, or of another version')
  const model = hash(bytesToHex(reader.raw(HASH_BYTES)))
  const prompts = reader.list(CANARY_LIMITS.promptRows.length, (inner) => readPrompt(inner, shape))
  reader.finish()
  if (prompts.length === 0) throw bad('has no prompts')
  return { model, prompts }
}

function readPrompt(reader: Reader, { config, segments }: CanaryShape): CanaryPrompt {
  const rowsMax = Math.min(CANARY_LIMITS.rowsMax, config.contextLength)
  const tokens = Int32Array.from(reader.list(rowsMax, (inner) => inner.u32()))
  if (tokens.length === 0) throw bad('has a prompt of no rows')
  if (tokens.some((token) => token < 0 || token >= config.vocabularySize)) throw bad('has tokens that the model lacks')
  const borderBytes = tokens.length * config.hiddenSize * Float32Array.BYTES_PER_ELEMENT
  const borders = Array.from({ length: segments.length - 1 }, () => floatsFromBytes(reader.raw(borderBytes)))
  return { tokens, borders, logits: hash(bytesToHex(reader.raw(HASH_BYTES))) }
}

/** Most bytes that the canary of such a model can have. */
export function canaryBytesMax({ config, segments }: CanaryShape): number {
  const rows = CANARY_LIMITS.promptRows.length * CANARY_LIMITS.rowsMax
  const perRow = ID_BYTES + (segments.length - 1) * config.hiddenSize * Float32Array.BYTES_PER_ELEMENT
  return MAGIC.length + HASH_BYTES + rows * perRow + CANARY_LIMITS.promptRows.length * (HASH_BYTES + ID_BYTES) + 64
}

/** What segment `first` gets of a prompt: ids for the first segment, rows for the others. */
export function canaryInput({ tokens, borders }: CanaryPrompt, first: number): Int32Array | Float32Array {
  const input = first === 0 ? tokens : borders[first - 1]
  assert(input !== undefined, 'the segment is one of the model')
  return input
}

function bad(problem: string): CodecError {
  return new CodecError('CODEC_BAD_VALUE', `The canary ${problem}.`)
}
