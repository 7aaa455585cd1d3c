/**
 * Digests of what went into a lot and what came out: a chain over the steps as they are on the link, without the turn, which
 * says nothing about the numbers. `acknowledge` is among them: it tells rows of a prompt from rows of decoding. 32 bytes continue it, so that a window goes on after a restart. What one stage sends is what the next one
 * receives: their digests are equal.
 * Spec: docs/spec/market.md §9.3.
 * @module
 */
import { hash, subtle } from 'node:crypto'
import { floatBytes } from '../../ml/digest.ts'
import { encodeStageMessage, type StageMessageOf } from '../../net/protocols/stage.ts'

export type RowDigest = Uint8Array

/** Of no steps. */
export const NO_ROWS_DIGEST: RowDigest = new Uint8Array(32)

/** Above this, hashing would hold up the event loop for more than a fraction of a millisecond. */
const INLINE_BYTES_MAX = 128 * 1024

/** A step as it is digested and kept: the same whoever sends it. */
export function stepBytes(step: StageMessageOf<'step'>): Uint8Array {
  return encodeStageMessage({ ...step, turn: 0 })
}

/** What came of a step: activations for the next stage, the token that the tail has drawn, or nothing. */
export function outputBytes(
  step: StageMessageOf<'step'>,
  output: Float32Array | { readonly position: number; readonly token: number } | undefined,
): Uint8Array | undefined {
  if (output === undefined) return undefined
  if (output instanceof Float32Array) return stepBytes({ ...step, rows: floatBytes(output) })
  const { position, token } = output
  return encodeStageMessage({ type: 'token', turn: 0, position, tokens: Int32Array.of(token), digests: [] })
}

/** `SHA-256(digest ‖ bytes)`; long bytes are hashed by another thread. */
export async function nextRowDigest(digest: RowDigest, bytes: Uint8Array): Promise<RowDigest> {
  const joined = new Uint8Array(digest.length + bytes.length)
  joined.set(digest)
  joined.set(bytes, digest.length)
  if (bytes.length <= INLINE_BYTES_MAX) return new Uint8Array(hash('sha256', joined, 'buffer'))
  return new Uint8Array(await subtle.digest('SHA-256', joined))
}
