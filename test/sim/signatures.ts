/**
 * The real Ed25519, by OpenSSL and with a memory: signatures follow from key and message alone, so they are the same bytes as those of
 * `core/ed25519.ts`, and the nodes of one world hear the same ones over and over.
 * @module
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import type { FastAcceptance, KeyPair, SignedBytes } from '../../src/core/ed25519.ts'
import { hex } from './scenario.ts'

export interface Signatures {
  readonly accepts: FastAcceptance
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array
}

/** PrivateKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the secret itself. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** `pairs`: whoever signs with `sign`. */
export function createSignatures(pairs: readonly KeyPair[]): Signatures {
  const keys = new Map(pairs.map((pair) => [hex(pair.secretKey), { key: keyObject(pair), pair }]))
  const verdicts = new Map<string, boolean>()
  return {
    accepts(signed) {
      const name = nameOf(signed)
      const known = verdicts.get(name)
      if (known !== undefined) return known
      const isAccepted = opensslAccepts(signed)
      verdicts.set(name, isAccepted)
      return isAccepted
    },
    sign(message, secretKey) {
      const { key, pair } = keys.get(hex(secretKey))!
      const signature = new Uint8Array(sign(null, message, key))
      verdicts.set(nameOf({ signature, message, publicKey: pair.publicKey }), true)
      return signature
    },
  }
}

function keyObject({ secretKey }: KeyPair): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secretKey]), format: 'der', type: 'pkcs8' })
}

/** Of 64, 32 (or, for transactions, more) and 32 bytes; no two triples have one name, because the first and the last are fixed. */
function nameOf({ signature, message, publicKey }: SignedBytes): string {
  return Buffer.concat([signature, publicKey, message]).toString('latin1')
}
