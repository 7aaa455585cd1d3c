/**
 * SHA-256 with a domain tag, so that a digest made for one purpose never equals one made for another. The
 * construction is the tagged hash of BIP-340. Knows nothing of what is hashed.
 * Spec: docs/spec/keys.md §1.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'

/** `SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ parts…)`: 32 bytes. The caller makes the parts unambiguous. */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const prefix = sha256(utf8ToBytes(tag))
  return sha256(concatBytes(prefix, prefix, ...parts))
}
