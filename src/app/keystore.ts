/**
 * The keystore: one JSON object per wallet. Its secret is the entropy of the words and the passphrase; in clear are
 * the public keys of every role, so that addresses can be shown without the password. Opening checks that the public
 * part belongs to the secret, since nothing else protects it. Knows no files.
 * Spec: docs/spec/keys.md §5.
 * @module
 */
import type { Address } from '../base/brand.ts'
import { CodecError, Reader, Writer } from '../base/codec.ts'
import { INPUT_LIMITS, WALLET_LIMITS } from '../base/limits.ts'
import type { Random } from '../base/ports.ts'
import { addressOf } from '../core/address.ts'
import { type KeyPair, keyPairFromSecret, PUBLIC_KEY_BYTES } from '../core/ed25519.ts'
import type { NetworkKind } from '../core/network-kind.ts'
import { ROLES, type Role } from '../core/role.ts'
import { type AccountPath, accountPath, deriveNode } from '../core/slip10.ts'
import {
  damaged,
  decryptSecret,
  encryptSecret,
  type KeystoreCrypto,
  KeystoreError,
  parseCrypto,
  record,
  type ScryptCost,
} from './keystore-crypto.ts'
import { entropyToWords, WORD_COUNTS, wordsToEntropy, wordsToSeed } from './mnemonic.ts'

/** A string, so that programs which expect ERC-2335's integer 4 refuse our files, as we refuse theirs. */
const VERSION = 'dllm-keystore-1'

/** The secret is padded to a multiple of this, so that its length does not tell whether there is a passphrase. */
const PADDING_BYTES = 128

/** Networks in the order of the file; those of one coin number share their keys. */
const COINS: readonly (readonly NetworkKind[])[] = [['local', 'testnet'], ['mainnet']]

/** One role's public key, in clear. */
export interface KeystoreAccount {
  readonly role: Role
  /** SLIP-10 path. */
  readonly path: string
  /** 64 hexadecimal digits. */
  readonly publicKey: string
  /** The same key's address on each network of its coin. */
  readonly addresses: Readonly<Partial<Record<NetworkKind, Address>>>
}

/** ERC-2335 fields with our version, `accounts` instead of `pubkey`, and the secret of `encodeSecret`. */
export interface Keystore {
  readonly crypto: KeystoreCrypto
  readonly description: string
  /** The node that all account paths are below. */
  readonly path: string
  readonly uuid: string
  readonly version: string
  readonly accounts: readonly KeystoreAccount[]
}

/** What a person writes down: everything of the wallet follows from it. */
export interface WalletSecret {
  readonly words: readonly string[]
  /** Empty for none. */
  readonly passphrase: string
}

/** A keystore that was opened with its password. */
export interface OpenedKeystore {
  readonly secret: WalletSecret
  /** Any key of the tree. */
  keys(path: AccountPath): KeyPair
}

const ROOT_PATH = "m/44'"

/** Encrypts a wallet's secret and lists its public keys. */
export async function createKeystore(
  secret: WalletSecret,
  password: string,
  options: { readonly random: Random; readonly description: string; readonly cost?: ScryptCost | undefined },
): Promise<Keystore> {
  const { random, description, cost } = options
  const seed = await wordsToSeed(secret.words, secret.passphrase)
  const crypto = await encryptSecret(encodeSecret(secret), password, cost === undefined ? { random } : { random, cost })
  return { version: VERSION, uuid: uuid(random), description, path: ROOT_PATH, accounts: accountsOf(seed), crypto }
}

/**
 * Opens a keystore.
 * @throws KeystoreError KEYSTORE_WRONG_PASSWORD; KEYSTORE_TAMPERED when the public part is not of this secret.
 */
export async function openKeystore(keystore: Keystore, password: string): Promise<OpenedKeystore> {
  const secret = decodeSecret(await decryptSecret(keystore.crypto, password))
  const seed = await wordsToSeed(secret.words, secret.passphrase)
  const expected = accountsOf(seed)
  const same = expected.every((account, index) => account.publicKey === keystore.accounts[index]?.publicKey)
  if (!same || keystore.accounts.length !== expected.length) {
    throw new KeystoreError(
      'KEYSTORE_TAMPERED',
      'The addresses in the keystore are not those of its secret: somebody changed the file. Do not use addresses that it showed; restore the wallet from its words.',
    )
  }
  return { secret, keys: (path) => keyPairFromSecret(deriveNode(seed, accountPath(path)).secretKey) }
}

/**
 * Reads the JSON text of a keystore file.
 * @throws KeystoreError KEYSTORE_DAMAGED, KEYSTORE_UNSUPPORTED, KEYSTORE_TOO_COSTLY.
 */
export function parseKeystore(text: string): Keystore {
  const value = record(parseJson(text), 'keystore')
  const { version, uuid: id, description, path } = value
  if (version !== VERSION) throw unsupportedVersion(version)
  if (typeof id !== 'string' || !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw damaged('uuid')
  if (typeof description !== 'string' || description.length > WALLET_LIMITS.descriptionCharactersMax) {
    throw damaged('description')
  }
  if (path !== ROOT_PATH) throw damaged('path')
  return {
    version,
    uuid: id,
    description,
    path,
    accounts: parseAccounts(value['accounts']),
    crypto: parseCrypto(value['crypto']),
  }
}

/** The address of a role on a network; every keystore has one for each. */
export function keystoreAddress(
  keystore: Keystore,
  role: Role,
  network: NetworkKind,
): KeystoreAccount & { address: Address } {
  for (const account of keystore.accounts) {
    const address = account.addresses[network]
    if (account.role === role && address !== undefined) return { ...account, address }
  }
  throw damaged('accounts')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The cause would quote the file; it helps nobody.
    throw new KeystoreError(
      'KEYSTORE_DAMAGED',
      'The keystore is damaged: it is not JSON. Restore the wallet from its words.',
    )
  }
}

function unsupportedVersion(version: unknown): KeystoreError {
  const shown =
    typeof version === 'string' || typeof version === 'number' ? JSON.stringify(version).slice(0, 40) : 'missing'
  const hint = version === 4 ? ' That is the version of Ethereum validator keystores.' : ''
  return new KeystoreError(
    'KEYSTORE_UNSUPPORTED',
    `The keystore's version is ${shown}; this program reads "${VERSION}".${hint}`,
  )
}

/** Role and path must be the ones this version writes, in its order; addresses must belong to their keys. */
function parseAccounts(value: unknown): KeystoreAccount[] {
  const slots = COINS.flatMap((networks) => ROLES.map((role) => ({ networks, role })))
  if (!Array.isArray(value) || value.length !== slots.length) throw damaged('accounts')
  return slots.map(({ networks, role }, index) => {
    const field = `accounts[${index}]`
    const { publicKey, ...found } = record(value[index], field)
    if (typeof publicKey !== 'string' || !/^[0-9a-f]{64}$/.test(publicKey)) throw damaged(`${field}.publicKey`)
    const account = accountOf(Buffer.from(publicKey, 'hex'), role, networks)
    const addresses = record(found['addresses'], `${field}.addresses`)
    if (found['role'] !== role || found['path'] !== account.path) throw damaged(field)
    for (const network of networks) {
      if (addresses[network] !== account.addresses[network]) throw damaged(`${field}.addresses.${network}`)
    }
    return account
  })
}

function accountsOf(seed: Uint8Array): KeystoreAccount[] {
  return COINS.flatMap((networks) =>
    ROLES.map((role) => {
      const node = deriveNode(seed, accountPath({ network: networks[0]!, role }))
      return accountOf(keyPairFromSecret(node.secretKey).publicKey, role, networks)
    }),
  )
}

function accountOf(publicKey: Uint8Array, role: Role, networks: readonly NetworkKind[]): KeystoreAccount {
  const key = Uint8Array.from(publicKey.subarray(0, PUBLIC_KEY_BYTES))
  const addresses = Object.fromEntries(networks.map((network) => [network, addressOf(key, network)]))
  const path = accountPath({ network: networks[0]!, role })
  return { role, path, publicKey: Buffer.from(key).toString('hex'), addresses }
}

/** u32 length and entropy, u32 length and passphrase, zeros to a multiple of 128 bytes. */
function encodeSecret(secret: WalletSecret): Uint8Array {
  const bytes = new Writer().bytes(wordsToEntropy(secret.words)).text(secret.passphrase.normalize('NFKD')).finish()
  const padded = new Uint8Array(Math.ceil(bytes.length / PADDING_BYTES) * PADDING_BYTES)
  padded.set(bytes)
  return padded
}

function decodeSecret(bytes: Uint8Array): WalletSecret {
  try {
    const reader = new Reader(bytes)
    const entropy = reader.bytes(32)
    const passphrase = reader.text(4 * INPUT_LIMITS.passwordCharactersMax)
    const padding = reader.raw(reader.remaining)
    if (!WORD_COUNTS.includes((entropy.length * 3) / 4) || padding.some((byte) => byte !== 0)) throw damaged('crypto')
    return { words: entropyToWords(entropy), passphrase }
  } catch (error) {
    if (error instanceof CodecError) throw damaged('crypto')
    throw error
  }
}

/** Random UUID of RFC 9562, version 4. */
function uuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
