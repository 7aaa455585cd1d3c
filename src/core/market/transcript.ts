/**
 * The transcript of a lease: one hash over all tokens that went through its ring, window by window, so that a voucher says what it
 * pays for without telling the chain a word of it. Spec: docs/spec/market.md §9.2.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { hashOf, ZERO_HASH } from '../fields.ts'
import { taggedHasher } from '../hash.ts'

const transcriptHash = taggedHasher('dllm/transcript')

/** Of a lease before its first window. */
export const EMPTY_TRANSCRIPT: Hash = ZERO_HASH

/** The transcript after a window. `tokens`: ids of the window's rows, in their order. */
export function nextTranscript(transcript: Hash, tokens: readonly number[]): Hash {
  const writer = new Writer(4 * tokens.length)
  for (const token of tokens) writer.u32(token)
  return hashOf(transcriptHash(hexToBytes(transcript), writer.finish()))
}
