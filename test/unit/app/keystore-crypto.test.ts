/** The encrypted part of keystores: RFC 7914 and ERC-2335 vectors, and files that are made to hurt. */
import { scryptSync } from 'node:crypto'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import { decryptSecret, encryptSecret, parseCrypto, passwordBytes } from '../../../src/app/keystore-crypto.ts'
import { createSystem } from '../../../src/app/system.ts'
import published from '../../vectors/keystore-eip2335.json' with { type: 'json' }
import rfc7914 from '../../vectors/scrypt-rfc7914.json' with { type: 'json' }

const COST = { n: 2 ** 10, r: 8, p: 1 }
const { random } = createSystem()
const SECRET = hexToBytes('00112233445566778899aabbccddeeff')

test.each(rfc7914.cases)('scrypt gives the RFC 7914 key for n=$n r=$r p=$p', ({ password, salt, n, r, p, key }) => {
  expect(scryptSync(password, salt, 64, { N: n, r, p }).toString('hex')).toBe(key)
})

describe('the ERC-2335 vector', () => {
  test('its password is encoded as published', () => {
    expect(bytesToHex(passwordBytes(published.password))).toBe(published.encodedPassword)
  })
  test('decrypts to the published secret', async () => {
    const secret = await decryptSecret(parseCrypto(published.keystore.crypto), published.password)
    expect(bytesToHex(secret)).toBe(published.secret)
  })
  test('refuses another password', async () => {
    const opened = decryptSecret(parseCrypto(published.keystore.crypto), 'testpassword')
    await expect(opened).rejects.toMatchObject({ code: 'KEYSTORE_WRONG_PASSWORD' })
  })
})

test('a secret survives encryption and JSON', async () => {
  const crypto = await encryptSecret(SECRET, 'correct horse', { random, cost: COST })
  expect(JSON.stringify(crypto)).not.toContain(bytesToHex(SECRET))
  expect(await decryptSecret(parseCrypto(JSON.parse(JSON.stringify(crypto))), 'correct horse')).toEqual(SECRET)
})

test('two encryptions of one secret share no salt, no iv and no cipher text', async () => {
  const [a, b] = await Promise.all([0, 1].map(() => encryptSecret(SECRET, 'same', { random, cost: COST })))
  expect(a!.kdf.params.salt).not.toBe(b!.kdf.params.salt)
  expect(a!.cipher.params.iv).not.toBe(b!.cipher.params.iv)
  expect(a!.cipher.message).not.toBe(b!.cipher.message)
})

test.each([
  ['composed and decomposed letters', 'caf\u00e9', 'cafe\u0301'],
  ['control characters', 'secret', 'se\u0000cr\u007fet\n\u0085'],
])('%s make no difference in a password', (_case, a, b) => {
  expect(passwordBytes(a)).toEqual(passwordBytes(b))
})

test('a changed cipher text is not decrypted', async () => {
  const crypto = await encryptSecret(SECRET, 'pass', { random, cost: COST })
  const message = crypto.cipher.message.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
  const opened = decryptSecret({ ...crypto, cipher: { ...crypto.cipher, message } }, 'pass')
  await expect(opened).rejects.toMatchObject({ code: 'KEYSTORE_WRONG_PASSWORD' })
})

function cryptoWith(path: string, value: unknown): unknown {
  const copy = structuredClone(published.keystore.crypto) as Record<string, unknown>
  const steps = path.split('.')
  const last = steps.pop()!
  let target = copy
  for (const step of steps) target = target[step] as Record<string, unknown>
  target[last] = value
  return copy
}

test.each([
  ['kdf.params.n', 2 ** 21, 'KEYSTORE_TOO_COSTLY'],
  ['kdf.params.n', 2 ** 52, 'KEYSTORE_TOO_COSTLY'],
  ['kdf.params.p', 1_000_000, 'KEYSTORE_TOO_COSTLY'],
  ['kdf.params.r', 1_000_000, 'KEYSTORE_TOO_COSTLY'],
  ['kdf.params.n', 3, 'KEYSTORE_DAMAGED'],
  ['kdf.params.n', 1, 'KEYSTORE_DAMAGED'],
  ['kdf.params.n', 0, 'KEYSTORE_DAMAGED'],
  ['kdf.params.n', -2, 'KEYSTORE_DAMAGED'],
  ['kdf.params.n', '262144', 'KEYSTORE_DAMAGED'],
  ['kdf.params.r', 0.5, 'KEYSTORE_DAMAGED'],
  ['kdf.params.dklen', 64, 'KEYSTORE_DAMAGED'],
  ['kdf.params.salt', 'zz', 'KEYSTORE_DAMAGED'],
  ['kdf.params.salt', 'ab'.repeat(65), 'KEYSTORE_DAMAGED'],
  ['kdf.function', 'pbkdf2', 'KEYSTORE_UNSUPPORTED'],
  ['kdf.function', 7, 'KEYSTORE_DAMAGED'],
  ['kdf', null, 'KEYSTORE_DAMAGED'],
  ['checksum.function', 'md5', 'KEYSTORE_UNSUPPORTED'],
  ['checksum.message', 'abcd', 'KEYSTORE_DAMAGED'],
  ['cipher.function', 'aes-256-gcm', 'KEYSTORE_UNSUPPORTED'],
  ['cipher.params.iv', '00', 'KEYSTORE_DAMAGED'],
  ['cipher.message', '', 'KEYSTORE_DAMAGED'],
  ['cipher.message', 'abc', 'KEYSTORE_DAMAGED'],
  ['cipher.message', 'ab'.repeat(9000), 'KEYSTORE_DAMAGED'],
  ['cipher', [], 'KEYSTORE_DAMAGED'],
])('refuses a file whose %s is %j', (path, value, code) => {
  expect(() => parseCrypto(cryptoWith(path, value))).toThrow(expect.objectContaining({ code }))
})
