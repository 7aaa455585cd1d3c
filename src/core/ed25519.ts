/**
 * Ed25519: keys, signatures and the one rule by which a signature is valid. Signing is RFC 8032. Verification is
 * ZIP-215: cofactored equation, non-canonical points accepted, S below the group order. Everybody on the chain must
 * give the same verdict, so no other rule may decide; a faster check may only speed up an acceptance.
 * Spec: docs/spec/keys.md §2.
 * @module
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { assert } from '../base/assert.ts'

export const SECRET_KEY_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

export interface KeyPair {
  /** 32-byte seed of RFC 8032 §5.1.5. */
  readonly secretKey: Uint8Array
  /** 32-byte encoded point. */
  readonly publicKey: Uint8Array
}

/** What is verified together; lengths are checked by `verify`. */
export interface SignedBytes {
  readonly signature: Uint8Array
  readonly message: Uint8Array
  readonly publicKey: Uint8Array
}

/**
 * A faster check whose acceptance implies ZIP-215 acceptance; its refusal means nothing. OpenSSL's is one: it uses
 * the equation without the cofactor and compares R as bytes, which is stricter at every step.
 */
export type FastAcceptance = (signed: SignedBytes) => boolean

/** The pair of a 32-byte secret. Keeps its own copy of the secret. */
export function keyPairFromSecret(secretKey: Uint8Array): KeyPair {
  assert(secretKey.length === SECRET_KEY_BYTES, 'a secret key has 32 bytes')
  return { secretKey: Uint8Array.from(secretKey), publicKey: ed25519.getPublicKey(secretKey) }
}

/** 64-byte signature of RFC 8032; the same input gives the same signature. */
export function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  assert(secretKey.length === SECRET_KEY_BYTES, 'a secret key has 32 bytes')
  return ed25519.sign(message, secretKey)
}

/** Whether the signature is valid under ZIP-215. Never throws for bad input: wrong lengths are invalid signatures. */
export function verify(signed: SignedBytes, accepts?: FastAcceptance): boolean {
  if (signed.signature.length !== SIGNATURE_BYTES || signed.publicKey.length !== PUBLIC_KEY_BYTES) return false
  if (accepts?.(signed)) return true
  return ed25519.verify(signed.signature, signed.message, signed.publicKey, { zip215: true })
}
