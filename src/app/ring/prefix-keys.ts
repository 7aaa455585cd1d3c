/**
 * What stands for a row that goes into a stage, when rows are compared: at stage 1 its token, elsewhere a SHA-256 of its bytes, so that whoever chooses the
 * rows cannot make two that are taken for each other.
 * Spec: docs/spec/wire.md §4.10.
 * @module
 */
import { hash } from 'node:crypto'
import type { TokenStep } from './prompt-steps.ts'

/** Of a stage; see keysOf. */
export function keyWordsOf({ isFirst }: { readonly isFirst: boolean }): number {
  return isFirst ? 1 : DIGEST_WORDS
}

const DIGEST_WORDS = 8

/** One after the other, for each row of a step. */
export function keysOf({ tokens, rows }: Pick<TokenStep, 'tokens' | 'rows'>, isFirst: boolean): Int32Array {
  if (isFirst) return tokens
  const keys = new Int32Array(tokens.length * DIGEST_WORDS)
  const bytes = new Uint8Array(keys.buffer)
  const width = rows.length / tokens.length
  for (let row = 0; row < tokens.length; row++) {
    bytes.set(hash('sha256', rows.subarray(row * width, (row + 1) * width), 'buffer'), row * DIGEST_WORDS * 4)
  }
  return keys
}
