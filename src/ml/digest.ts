/**
 * Digests of activations and logits: what two machines compare to know that they computed the same.
 * Spec: docs/spec/numerics.md §9.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../base/brand.ts'

/** True where f32 values in memory are already in the order of the wire. */
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The little-endian bytes of f32 values; a view without copy on little-endian machines. */
export function floatBytes(values: Float32Array): Uint8Array {
  if (LITTLE_ENDIAN) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const view = new DataView(new ArrayBuffer(values.byteLength))
  for (let index = 0; index < values.length; index++) view.setFloat32(index * 4, values[index]!, true)
  return new Uint8Array(view.buffer)
}

/** Little-endian bytes to f32 values; always a copy, so that the source need not be aligned. */
export function floatsFromBytes(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  // Not `slice`, which gives a view of a Buffer of Node.
  const copy = new Uint8Array(bytes)
  if (LITTLE_ENDIAN) return new Float32Array(copy.buffer)
  const view = new DataView(copy.buffer)
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true))
}

/** SHA-256 of f32 values. */
export function digestOf(values: Float32Array): Hash {
  return hash(bytesToHex(sha256(floatBytes(values))))
}
