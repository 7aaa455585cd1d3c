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
  /** The same by who needs not have been named before. */
  signAs(pair: KeyPair, message: Uint8Array): Uint8Array
}

/** PrivateKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the secret itself. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Of people, who are the same in all worlds. */
const keyObjects = new Map<string, KeyObject>()

/** `pairs`: whoever signs with `sign`. */
export function createSignatures(pairs: readonly KeyPair[]): Signatures {
  const known = new Map(pairs.map((pair) => [hex(pair.secretKey), pair]))
  const verdicts = new Map<string, boolean>()
  const signAs = (pair: KeyPair, message: Uint8Array): Uint8Array => {
    const signature = new Uint8Array(sign(null, message, keyObject(pair)))
    verdicts.set(nameOf({ signature, message, publicKey: pair.publicKey }), true)
    return signature
  }
  return {
    accepts(signed) {
      const name = nameOf(signed)
      const verdict = verdicts.get(name)
      if (verdict !== undefined) return verdict
      const isAccepted = opensslAccepts(signed)
      verdicts.set(name, isAccepted)
      return isAccepted
    },
    sign: (message, secretKey) => signAs(known.get(hex(secretKey))!, message),
    signAs,
  }
}

function keyObject({ secretKey }: KeyPair): KeyObject {
  const name = hex(secretKey)
  const made = keyObjects.get(name)
  if (made !== undefined) return made
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secretKey]), format: 'der', type: 'pkcs8' })
  keyObjects.set(name, key)
  return key
}

/** Of 64, 32 (or, for transactions, more) and 32 bytes; no two triples have one name, because the first and the last are fixed. */
function nameOf({ signature, message, publicKey }: SignedBytes): string {
  return Buffer.concat([signature, publicKey, message]).toString('latin1')
}
