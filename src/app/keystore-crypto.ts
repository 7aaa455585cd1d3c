/**
 * The encrypted part of a keystore, in the shape of ERC-2335: kdf scrypt, checksum sha256, cipher aes-128-ctr. Knows
 * bytes and passwords, not what the secret means. Parameters that come from a file are bounded before they cost
 * anything. Spec: docs/spec/keys.md §5.
 * @module
 */
import { createCipheriv, createHash, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { HouseError } from '../base/error.ts'
import { WALLET_LIMITS } from '../base/limits.ts'
import type { Random } from '../base/ports.ts'

export class KeystoreError extends HouseError<
  | 'KEYSTORE_WRONG_PASSWORD'
  | 'KEYSTORE_DAMAGED'
  | 'KEYSTORE_UNSUPPORTED'
  | 'KEYSTORE_TOO_COSTLY'
  | 'KEYSTORE_NO_MEMORY'
  | 'KEYSTORE_TAMPERED'
> {}

/** scrypt parameters: RFC 7914 N, r and p. */
export interface ScryptCost {
  readonly n: number
  readonly r: number
  readonly p: number
}

/** ERC-2335 modules; bytes are lower-case hexadecimal. */
export interface KeystoreCrypto {
  readonly kdf: {
    readonly function: 'scrypt'
    readonly params: ScryptCost & { readonly dklen: number; readonly salt: string }
    readonly message: ''
  }
  readonly checksum: { readonly function: 'sha256'; readonly params: object; readonly message: string }
  readonly cipher: {
    readonly function: 'aes-128-ctr'
    readonly params: { readonly iv: string }
    readonly message: string
  }
}

/** 256 MiB and about a second of one core per guess. */
export const DEFAULT_COST: ScryptCost = { n: 2 ** 18, r: 8, p: 1 }

const DERIVED_BYTES = 32
const SALT_BYTES = 32
const IV_BYTES = 16
const CHECKSUM_BYTES = 32

/** Encrypts a secret under a password. */
export async function encryptSecret(
  secret: Uint8Array,
  password: string,
  options: { readonly random: Random; readonly cost?: ScryptCost },
): Promise<KeystoreCrypto> {
  const { random, cost = DEFAULT_COST } = options
  const salt = random.bytes(SALT_BYTES)
  const iv = random.bytes(IV_BYTES)
  const key = await deriveKey(password, salt, cost)
  const message = applyCipher(secret, key, iv)
  const checksum = checksumOf(key, message)
  key.fill(0)
  return {
    kdf: { function: 'scrypt', params: { dklen: DERIVED_BYTES, ...cost, salt: toHex(salt) }, message: '' },
    checksum: { function: 'sha256', params: {}, message: toHex(checksum) },
    cipher: { function: 'aes-128-ctr', params: { iv: toHex(iv) }, message: toHex(message) },
  }
}

/**
 * Decrypts what `encryptSecret` or another ERC-2335 program wrote.
 * @throws KeystoreError KEYSTORE_WRONG_PASSWORD, KEYSTORE_NO_MEMORY.
 */
export async function decryptSecret(crypto: KeystoreCrypto, password: string): Promise<Uint8Array> {
  const { params } = crypto.kdf
  const key = await deriveKey(password, fromHex(params.salt), params)
  const message = fromHex(crypto.cipher.message)
  const matches = timingSafeEqual(checksumOf(key, message), fromHex(crypto.checksum.message))
  const secret = matches ? applyCipher(message, key, fromHex(crypto.cipher.params.iv)) : undefined
  key.fill(0)
  if (secret === undefined) {
    throw new KeystoreError(
      'KEYSTORE_WRONG_PASSWORD',
      'The password is wrong. Passwords are case-sensitive; try again.',
    )
  }
  return secret
}

/** ERC-2335 password bytes: NFKD, then without C0, C1 and Delete control characters, then UTF-8. */
export function passwordBytes(password: string): Uint8Array {
  return Uint8Array.from(Buffer.from(password.normalize('NFKD').replace(/\p{Cc}/gu, ''), 'utf8'))
}

/**
 * Checks a `crypto` object that came from a file.
 * @throws KeystoreError KEYSTORE_DAMAGED for a wrong shape, KEYSTORE_UNSUPPORTED for other algorithms,
 * KEYSTORE_TOO_COSTLY for scrypt parameters over the limits.
 */
export function parseCrypto(value: unknown): KeystoreCrypto {
  const crypto = record(value, 'crypto')
  const kdf = moduleOf(crypto, 'kdf', 'scrypt')
  const checksum = moduleOf(crypto, 'checksum', 'sha256')
  const cipher = moduleOf(crypto, 'cipher', 'aes-128-ctr')
  const cost = parseCost(kdf.params)
  if (kdf.params['dklen'] !== DERIVED_BYTES) throw damaged('crypto.kdf.params.dklen')
  const salt = hexField(kdf.params['salt'], 'crypto.kdf.params.salt', { max: WALLET_LIMITS.saltBytesMax })
  const iv = hexField(cipher.params['iv'], 'crypto.cipher.params.iv', { min: IV_BYTES, max: IV_BYTES })
  const sum = hexField(checksum.message, 'crypto.checksum.message', { min: CHECKSUM_BYTES, max: CHECKSUM_BYTES })
  const message = hexField(cipher.message, 'crypto.cipher.message', { max: WALLET_LIMITS.secretBytesMax })
  return {
    kdf: { function: 'scrypt', params: { dklen: DERIVED_BYTES, ...cost, salt }, message: '' },
    checksum: { function: 'sha256', params: {}, message: sum },
    cipher: { function: 'aes-128-ctr', params: { iv }, message },
  }
}

/** A JSON object, or KEYSTORE_DAMAGED naming the field. */
export function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(field)
  return value as Record<string, unknown>
}

/** The error for a field that is missing or wrong. */
export function damaged(field: string): KeystoreError {
  return new KeystoreError('KEYSTORE_DAMAGED', `The keystore is damaged: its field ${field} is missing or wrong.`, {
    details: { field },
  })
}

function moduleOf(
  crypto: Readonly<Record<string, unknown>>,
  name: string,
  expected: string,
): { params: Readonly<Record<string, unknown>>; message: unknown } {
  const value = record(crypto[name], `crypto.${name}`)
  if (typeof value['function'] !== 'string') throw damaged(`crypto.${name}.function`)
  if (value['function'] !== expected) {
    const found = JSON.stringify(value['function'].slice(0, 32))
    throw new KeystoreError(
      'KEYSTORE_UNSUPPORTED',
      `The keystore's ${name} is ${found}; this program reads ${expected}.`,
    )
  }
  return { params: record(value['params'], `crypto.${name}.params`), message: value['message'] }
}

function parseCost(params: Readonly<Record<string, unknown>>): ScryptCost {
  const [n, r, p] = ['n', 'r', 'p'].map((name) => {
    const value = params[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
      throw damaged(`crypto.kdf.params.${name}`)
    return value
  }) as [number, number, number]
  if (n < 2 || (n & (n - 1)) !== 0) throw damaged('crypto.kdf.params.n')
  const tooLarge =
    n > WALLET_LIMITS.scryptCostMax || r > WALLET_LIMITS.scryptBlockSizeMax || p > WALLET_LIMITS.scryptParallelMax
  if (tooLarge || 128 * n * r > WALLET_LIMITS.scryptMemoryBytesMax || n * r * p > WALLET_LIMITS.scryptWorkMax) {
    throw new KeystoreError(
      'KEYSTORE_TOO_COSTLY',
      'The keystore asks for more memory or time than a keystore needs; it may be made to hurt. It was not opened.',
      { details: { n, r, p } },
    )
  }
  return { n, r, p }
}

function hexField(value: unknown, field: string, bytes: { min?: number; max: number }): string {
  if (typeof value !== 'string' || !/^(?:[0-9a-fA-F]{2})+$/.test(value)) throw damaged(field)
  const length = value.length / 2
  if (length < (bytes.min ?? 1) || length > bytes.max) throw damaged(field)
  return value.toLowerCase()
}

const scryptAsync = promisify<Buffer, Uint8Array, number, object, Buffer>(scrypt)

/** Runs on the thread pool, so that the event loop stays free. */
async function deriveKey(password: string, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const { n, r, p } = cost
  const maxmem = 128 * r * (n + p + 2) + 1024 * 1024
  const input = Buffer.from(passwordBytes(password))
  try {
    return await scryptAsync(input, salt, DERIVED_BYTES, { N: n, r, p, maxmem })
  } catch (cause) {
    const mebibytes = Math.ceil((128 * n * r) / (1024 * 1024))
    const message = `Opening the keystore needs ${mebibytes} MiB of free memory. Close other programs and try again.`
    throw new KeystoreError('KEYSTORE_NO_MEMORY', message, { cause })
  } finally {
    input.fill(0)
  }
}

function checksumOf(key: Buffer, message: Uint8Array): Buffer {
  return createHash('sha256').update(key.subarray(16, 32)).update(message).digest()
}

/** CTR mode: the same operation encrypts and decrypts. */
function applyCipher(input: Uint8Array, key: Buffer, iv: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), iv)
  return Uint8Array.from(Buffer.concat([cipher.update(input), cipher.final()]))
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}
