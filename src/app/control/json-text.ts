/**
 * JSON as bytes, bounded: depth is checked before parsing, so that nothing recursive ever meets a deep value; amounts
 * leave as decimal strings; what JSON would silently lose is a bug. Knows no JSON-RPC.
 * Spec: docs/spec/control.md §2.
 * @module
 */
import { assert } from '../../base/assert.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

export type ParsedJson =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'malformed' }
  | { readonly type: 'too-deep' }

/** Reads UTF-8 JSON of at most `depthMax` nested arrays and objects; never throws. The caller bounds the bytes. */
export function parseJson(bytes: Uint8Array, depthMax: number): ParsedJson {
  if (isDeeper(bytes, depthMax)) return { type: 'too-deep' }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { type: 'value', value: JSON.parse(text) }
  } catch {
    return { type: 'malformed' }
  }
}

/**
 * One line of JSON. A bigint becomes a decimal string; `undefined` at the top becomes null. Numbers that are not finite
 * and byte arrays are bugs of the caller: JSON would write null or an object of indices.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value ?? null, checked) ?? 'null'
}

function checked(_key: string, item: unknown): unknown {
  if (typeof item === 'bigint') return item.toString()
  assert(typeof item !== 'number' || Number.isFinite(item), 'a number in an answer is finite')
  assert(!ArrayBuffer.isView(item), 'bytes in an answer are hexadecimal text')
  return item
}

/** UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Whether brackets outside of strings nest beyond `depthMax`. Only a guard: it does not check that they match. */
function isDeeper(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (isInString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isInString = false
    } else if (byte === QUOTE) isInString = true
    else if (OPENING.has(byte)) {
      depth++
      if (depth > depthMax) return true
    } else if (CLOSING.has(byte)) depth--
  }
  return false
}
