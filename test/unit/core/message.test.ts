/** Signed messages: what one key signs, only its address verifies, and only over the same bytes. */
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { bech32m } from '@scure/base'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { opensslAccepts } from '../../../src/app/openssl-verify.ts'
import { addressOf } from '../../../src/core/address.ts'
import { keyPairFromSecret, sign } from '../../../src/core/ed25519.ts'
import { signMessage, verifyMessage } from '../../../src/core/message.ts'

const KEYS = keyPairFromSecret(hexToBytes('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
const STRANGER = keyPairFromSecret(hexToBytes('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'))
const MESSAGE = utf8ToBytes('I own this address')
const SIGNATURE = signMessage(MESSAGE, KEYS)
const ADDRESS = addressOf(KEYS.publicKey, 'local')

/** A signature without the domain tag, dressed up as a message signature. */
function bareSignature(): string {
  const words = bech32m.toWords(concatBytes(KEYS.publicKey, sign(MESSAGE, KEYS.secretKey)))
  return bech32m.encode('dllmsig', words, false)
}

test('the text form of a signature is fixed', () => {
  expect(SIGNATURE).toHaveLength(168)
  expect(SIGNATURE).toMatchInlineSnapshot(
    `"dllmsig16adfsqvzky9t042tlmfujeq88g8wzuhnm2nzxfd0qgdx3ac82ydp4ga4t64y9d9t2ujt0ddd2mn6acm54a6xs9lejgnhy7mdywhflfge8mdcd4edl89yww3263xpaj33kk8k25vfy9pcx4nm977skn7vpy42y0rq"`,
  )
})

test.each([undefined, opensslAccepts])('every message that is signed verifies, on every network', (accepts) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('mainnet', 'testnet', 'local'),
      (message, network) => {
        const signature = signMessage(message, KEYS)
        verifyMessage({ address: addressOf(KEYS.publicKey, network), signature, message }, accepts)
      },
    ),
    { numRuns: 20 },
  )
})

test.each([
  ['another message', { message: utf8ToBytes('I own this address\n') }, 'SIGNATURE_INVALID'],
  ['a signature over the bare message', { signature: bareSignature() }, 'SIGNATURE_INVALID'],
  ['another address', { address: addressOf(STRANGER.publicKey, 'local') }, 'SIGNATURE_OTHER_ADDRESS'],
  ['the signature of a stranger', { signature: signMessage(MESSAGE, STRANGER) }, 'SIGNATURE_OTHER_ADDRESS'],
  [
    'a mistyped signature',
    { signature: SIGNATURE.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q')) },
    'SIGNATURE_BAD_TEXT',
  ],
  ['a cut-off signature', { signature: SIGNATURE.slice(0, 100) }, 'SIGNATURE_BAD_TEXT'],
  ['an address as signature', { signature: ADDRESS }, 'SIGNATURE_BAD_TEXT'],
  ['a mistyped address', { address: `${ADDRESS.slice(0, -1)}?` }, 'ADDRESS_BAD_CHARACTER'],
])('refuses %s', (_case, change, code) => {
  const claim = { address: ADDRESS, signature: SIGNATURE, message: MESSAGE, ...change }
  expect(() => verifyMessage(claim)).toThrow(expect.objectContaining({ code }))
})
