/**
 * The fast acceptance for Ed25519: OpenSSL's verdict, about ten times as fast as the pure one. What it accepts is
 * valid under ZIP-215; what it refuses is asked again by `core/ed25519.ts`. Spec: docs/spec/keys.md §2.
 * @module
 */
import { createPublicKey, verify } from 'node:crypto'
import type { FastAcceptance } from '../core/ed25519.ts'

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** Whether OpenSSL accepts; anything that it cannot read counts as not accepted. */
export const opensslAccepts: FastAcceptance = ({ signature, message, publicKey }) => {
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
    return verify(null, message, key, signature)
  } catch {
    return false
  }
}

/** The fast acceptance of one public key, 32 bytes, read once: for keys that sign often. Other keys are not accepted. */
export function acceptsOf(publicKey: Uint8Array): FastAcceptance {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  return (signed) => {
    if (Buffer.compare(signed.publicKey, publicKey) !== 0) return false
    try {
      return verify(null, signed.message, key, signed.signature)
    } catch {
      return false
    }
  }
}
