/** BLS: Ethereum's vectors hold, and bytes that are no point, or no point of the group, are refused without a throw. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { blsPublicKey, blsSign, blsVerify, isBlsPublicKey, isBlsSecretKey } from '../../../src/core/bls.ts'
import vectors from '../../vectors/bls-ethereum.json' with { type: 'json' }

const ORDER = '73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001'
const [first, second] = vectors.sign.map((vector) => ({
  message: hexToBytes(vector.message),
  publicKey: hexToBytes(vector.publicKey),
  signature: hexToBytes(vector.signature),
})) as [Signed, Signed]

interface Signed {
  readonly message: Uint8Array
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
}

describe('the vectors of ethereum/bls12-381-tests', () => {
  test.each(vectors.sign)('$secretKey signs $message', ({ secretKey, publicKey, message, signature }) => {
    expect(bytesToHex(blsPublicKey(hexToBytes(secretKey)))).toBe(publicKey)
    expect(bytesToHex(blsSign(hexToBytes(message), hexToBytes(secretKey)))).toBe(signature)
    const signed = { message: hexToBytes(message), publicKey: hexToBytes(publicKey) }
    expect(blsVerify({ ...signed, signature: hexToBytes(signature) })).toBe(true)
  })

  test.each(vectors.publicKeysRefused)('a public key is refused: $why', ({ bytes }) => {
    expect(isBlsPublicKey(hexToBytes(bytes))).toBe(false)
    expect(blsVerify({ ...first, publicKey: hexToBytes(bytes) })).toBe(false)
  })

  test.each(vectors.signaturesRefused)('a signature is refused: $why', ({ bytes }) => {
    expect(blsVerify({ ...first, signature: hexToBytes(bytes) })).toBe(false)
  })
})

describe('a signature is not valid', () => {
  const infinity = (length: number) => Uint8Array.of(0xc0, ...new Uint8Array(length - 1))
  test.each([
    ['for another message', { ...first, message: new Uint8Array(32).fill(1) }],
    ['when it is that of another message', { ...first, signature: second.signature }],
    ['by the neutral key', { ...first, publicKey: infinity(48), signature: infinity(96) }],
    ['when it is the neutral point', { ...first, signature: infinity(96) }],
    ['when it is empty', { ...first, signature: new Uint8Array(0) }],
  ])('%s', (_case, signed) => {
    expect(blsVerify(signed)).toBe(false)
  })
})

test.each([
  ['zero', new Uint8Array(32), false],
  ['one', hexToBytes('1'.padStart(64, '0')), true],
  ['the last number below the order', hexToBytes(ORDER.replace(/1$/, '0')), true],
  ['the order', hexToBytes(ORDER), false],
  ['all ones', new Uint8Array(32).fill(0xff), false],
  ['too few bytes', new Uint8Array(31).fill(1), false],
])('%s is or is not a secret key', (_case, bytes, expected) => {
  expect(isBlsSecretKey(bytes)).toBe(expected)
})
