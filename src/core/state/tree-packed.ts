/**
 * Bytes packed in strings, one character per byte (U+0000 to U+00FF). Nodes of the state tree hold their bytes so: a
 * packed digest takes 48 bytes of memory where a Uint8Array of 32 takes 250, it cannot be changed by whoever holds it, `===`
 * compares bytes, and `<` compares them in order. Knows nothing of trees.
 * @module
 */
import { assert } from '../../base/assert.ts'

declare const packed: unique symbol

/** Bytes as a string of characters below U+0100; shown to nobody. */
export type Packed = string & { readonly [packed]: true }

/** Engines bound the number of arguments of one call; 65,536 is the smallest bound known. */
const CHUNK_BYTES = 8_192

/** A copy of the bytes, packed. */
export function pack(bytes: Uint8Array): Packed {
  if (bytes.length <= CHUNK_BYTES) return packChunk(bytes)
  let text = ''
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    text += packChunk(bytes.subarray(start, start + CHUNK_BYTES))
  }
  return text as Packed
}

/** The bytes, in memory of their own. */
export function unpack(text: Packed): Uint8Array {
  const bytes = new Uint8Array(text.length)
  unpackInto(text, bytes, 0)
  return bytes
}

/** Writes the bytes into `target` from `start` on. */
export function unpackInto(text: Packed, target: Uint8Array, start: number): void {
  assert(start + text.length <= target.length, 'packed bytes fit their target')
  for (let index = 0; index < text.length; index++) target[start + index] = text.charCodeAt(index)
}

/** Bit `index` of the bytes, 0 or 1; bit 0 is the highest of the first byte. */
export function bitOf(text: Packed, index: number): number {
  return (text.charCodeAt(index >> 3) >> (7 - (index & 7))) & 1
}

/** How many leading bits two packed byte strings of equal length share. */
export function sharedBits(left: Packed, right: Packed): number {
  let index = 0
  while (index < left.length && left.charCodeAt(index) === right.charCodeAt(index)) index++
  if (index === left.length) return index * 8
  return index * 8 + Math.clz32(left.charCodeAt(index) ^ right.charCodeAt(index)) - 24
}

/** `apply` takes anything array-like; its declared type asks for an array. */
function packChunk(bytes: Uint8Array): Packed {
  return String.fromCharCode.apply(null, bytes as unknown as number[]) as Packed
}
