/** Ed25519 against published vectors: RFC 8032, the small-order cases of ZIP-215, and ed25519-speccheck. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { opensslAccepts } from '../../../src/app/openssl-verify.ts'
import { type FastAcceptance, keyPairFromSecret, type SignedBytes, sign, verify } from '../../../src/core/ed25519.ts'
import rfc8032 from '../../vectors/ed25519-rfc8032.json' with { type: 'json' }
import smallOrder from '../../vectors/ed25519-small-order.json' with { type: 'json' }
import speccheck from '../../vectors/ed25519-speccheck.json' with { type: 'json' }

const WAYS: readonly [string, FastAcceptance | undefined][] = [
  ['alone', undefined],
  ['with OpenSSL asked first', opensslAccepts],
]

const LOW_S_BOUND = 2n ** 252n + 27742317777372353535851937790883648493n

function signedOf(entry: { signature: string; message: string; publicKey: string }): SignedBytes {
  const { signature, message, publicKey } = entry
  return { signature: hexToBytes(signature), message: hexToBytes(message), publicKey: hexToBytes(publicKey) }
}

describe('RFC 8032 section 7.1', () => {
  test.each(rfc8032.cases)('$name gives the published public key and signature', (entry) => {
    const keys = keyPairFromSecret(hexToBytes(entry.secretKey))
    expect(bytesToHex(keys.publicKey)).toBe(entry.publicKey)
    expect(bytesToHex(sign(hexToBytes(entry.message), keys.secretKey))).toBe(entry.signature)
    expect(verify(signedOf(entry))).toBe(true)
    expect(opensslAccepts(signedOf(entry))).toBe(true)
  })
})

describe.each(WAYS)('verification %s', (_name, accepts) => {
  test('accepts every pair of the 14 encodings of points of small order', () => {
    const { encodings, message } = smallOrder
    expect(encodings).toHaveLength(14)
    const verdicts = encodings.flatMap((publicKey) =>
      encodings.map((r) => verify(signedOf({ publicKey, message, signature: r + '00'.repeat(32) }), accepts)),
    )
    expect(verdicts).toHaveLength(196)
    expect(verdicts.every(Boolean)).toBe(true)
  })

  test.each(speccheck.cases)('gives the verdict of ZIP-215 for speccheck $name', (entry) => {
    expect(verify(signedOf(entry), accepts)).toBe(entry.zip215)
  })

  test.each([
    ['an empty signature', { signature: '' }],
    ['a signature one byte short', { signature: rfc8032.cases[1]!.signature.slice(2) }],
    ['a public key one byte long', { publicKey: `${rfc8032.cases[1]!.publicKey}00` }],
    ['another message', { message: '73' }],
    ['another public key', { publicKey: rfc8032.cases[0]!.publicKey }],
    ['a public key that is no point', { publicKey: `02${'00'.repeat(31)}` }],
    ['a first half that is no point', { signature: `02${'00'.repeat(31)}${rfc8032.cases[1]!.signature.slice(64)}` }],
  ])('refuses %s', (_case, change) => {
    expect(verify(signedOf({ ...rfc8032.cases[1]!, ...change }), accepts)).toBe(false)
  })

  test('refuses a signature whose second half is not below the group order', () => {
    const { signature, ...rest } = rfc8032.cases[1]!
    const low = BigInt(`0x${bytesToHex(hexToBytes(signature.slice(64)).reverse())}`)
    const high = bytesToHex(hexToBytes((low + LOW_S_BOUND).toString(16).padStart(64, '0')).reverse())
    expect(verify(signedOf({ ...rest, signature: signature.slice(0, 64) + high }), accepts)).toBe(false)
  })
})

test('whatever OpenSSL accepts of the edge cases is valid under ZIP-215', () => {
  const accepted = speccheck.cases.filter((entry) => opensslAccepts(signedOf(entry)))
  expect(accepted.length).toBeGreaterThan(0)
  expect(accepted.every((entry) => entry.zip215)).toBe(true)
})
