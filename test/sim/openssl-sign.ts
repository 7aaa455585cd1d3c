/**
 * Ed25519 signatures by OpenSSL: the same bytes as those of `core/ed25519.ts`, because they follow from key and message alone, ten times as
 * fast. Keys are remembered, so only for simulations.
 * @module
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'

/** PrivateKeyInfo of an Ed25519 key (RFC 8410) up to the 32 bytes of the secret itself. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

const keys = new Map<string, KeyObject>()

export function opensslSign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const name = Buffer.from(secretKey).toString('latin1')
  let key = keys.get(name)
  if (key === undefined) {
    key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secretKey]), format: 'der', type: 'pkcs8' })
    keys.set(name, key)
  }
  return new Uint8Array(sign(null, message, key))
}
