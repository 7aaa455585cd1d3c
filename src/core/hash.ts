/**
 * SHA-256 with a domain tag, so that a digest made for one purpose never equals one made for another. The
 * construction is the tagged hash of BIP-340. Knows nothing of what is hashed.
 * Spec: docs/spec/keys.md §1.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'

/** Digests the parts joined, 32 bytes. The caller makes the parts unambiguous. */
export type TaggedHasher = (...parts: readonly Uint8Array[]) => Uint8Array

/** Writes the digest of the parts joined into `target`, 32 bytes, which may be one of the parts. */
export type TaggedHasherInto = (target: Uint8Array, ...parts: readonly Uint8Array[]) => void

const DIGEST_BYTES = 32

type Sha256 = ReturnType<typeof sha256.create>

/** `SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ parts…)`: 32 bytes. The caller makes the parts unambiguous. */
export function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = midstateOf(tag).clone()
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The tagged hash of one tag, for callers that hash often: without a copy to be made at each call. Digests equal those of `taggedHash`. */
export function taggedHasher(tag: string): TaggedHasher {
  const hashInto = taggedHasherInto(tag)
  return (...parts) => {
    const digest = new Uint8Array(DIGEST_BYTES)
    hashInto(digest, ...parts)
    return digest
  }
}

/** Like `taggedHasher`, for callers that keep a buffer of 32 bytes for the digest: allocation costs as much as a block. */
export function taggedHasherInto(tag: string): TaggedHasherInto {
  let midstate: Sha256 | undefined
  // One working copy serves all calls: calls are synchronous, and each begins by overwriting it.
  const working = sha256.create()
  return (target, ...parts) => {
    midstate ??= midstateOf(tag)
    midstate._cloneInto(working)
    for (const part of parts) working.update(part)
    working.digestInto(target)
  }
}

/** By tag. Tags are constants of the program, so there are some tens. */
const midstates = new Map<string, Sha256>()

/**
 * The two copies of the tag's digest fill exactly one block of SHA-256: the state after it is computed once, which halves the work
 * for short parts. To be copied, not to be updated.
 */
function midstateOf(tag: string): Sha256 {
  const known = midstates.get(tag)
  if (known !== undefined) return known
  const prefix = sha256(utf8ToBytes(tag))
  const midstate = sha256.create().update(prefix).update(prefix)
  midstates.set(tag, midstate)
  return midstate
}
