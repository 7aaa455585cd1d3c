/**
 * BLS signatures over BLS12-381 with public keys in G1 and signatures in G2: the proof-of-possession scheme of
 * draft-irtf-cfrg-bls-signature-05 §4.2.3, as Ethereum uses it. One message and key has exactly one signature, which makes the
 * seed chain unbiasable. Nothing is aggregated. Spec: docs/spec/chain.md §6.
 * @module
 */
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'

export const BLS_SECRET_KEY_BYTES = 32
export const BLS_PUBLIC_KEY_BYTES = 48
export const BLS_SIGNATURE_BYTES = 96

const SUITE = utf8ToBytes('BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_')
const bls = bls12_381.longSignatures
const { Fr } = bls12_381.fields

/** What is verified together; lengths are checked. */
export interface BlsSigned {
  readonly signature: Uint8Array
  readonly message: Uint8Array
  readonly publicKey: Uint8Array
}

/** Whether these are 32 bytes, big-endian, of a number from 1 to below the group order. */
export function isBlsSecretKey(bytes: Uint8Array): boolean {
  return bytes.length === BLS_SECRET_KEY_BYTES && isScalar(bytes)
}

/** 48 bytes, compressed. `secretKey` passes `isBlsSecretKey`. */
export function blsPublicKey(secretKey: Uint8Array): Uint8Array {
  assert(isBlsSecretKey(secretKey), 'a BLS secret key is a number of the group')
  return bls.getPublicKey(secretKey).toBytes()
}

/** 96 bytes, compressed. `secretKey` passes `isBlsSecretKey`. */
export function blsSign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  assert(isBlsSecretKey(secretKey), 'a BLS secret key is a number of the group')
  return bls.Signature.toBytes(bls.sign(bls.hash(message, SUITE), secretKey))
}

/** Whether these 48 bytes are a point of the group other than the neutral one: KeyValidate of the draft, §2.5. */
export function isBlsPublicKey(publicKey: Uint8Array): boolean {
  return publicKeyPoint(publicKey) !== undefined
}

/** Whether the signature is valid. Never throws for bad input. */
export function blsVerify({ signature, message, publicKey }: BlsSigned): boolean {
  const key = publicKeyPoint(publicKey)
  if (key === undefined || signature.length !== BLS_SIGNATURE_BYTES) return false
  const point = attempt(() => {
    const read = bls.Signature.fromBytes(signature)
    read.assertValidity()
    return read
  })
  return point !== undefined && bls.verify(point, bls.hash(message, SUITE), key)
}

type PublicKeyPoint = ReturnType<typeof bls.getPublicKey>

function publicKeyPoint(publicKey: Uint8Array): PublicKeyPoint | undefined {
  if (publicKey.length !== BLS_PUBLIC_KEY_BYTES) return undefined
  return attempt(() => {
    const point = bls12_381.G1.Point.fromBytes(publicKey)
    point.assertValidity()
    return point.is0() || !point.isTorsionFree() ? undefined : point
  })
}

function isScalar(bytes: Uint8Array): boolean {
  const value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  return value > 0n && value < Fr.ORDER
}

/** The library throws for bytes that are no point. */
function attempt<Value>(read: () => Value | undefined): Value | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
